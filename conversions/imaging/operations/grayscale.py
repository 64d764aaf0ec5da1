"""Take the colours out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from PIL import Image

from conversions.imaging.recipe import Recipe


@dataclass(frozen=True)
class Grayscale:
    """What is left is luma, as JPEG has it (ITU-R BT.601). A profile of RGB fits no more."""

    @classmethod
    def of(cls, recipe: Recipe, _watermarks: Mapping[str, bytes]) -> Self | None:
        return cls() if recipe.grayscale else None

    def apply(self, image: Image.Image) -> Image.Image:
        gray = image.convert("LA" if image.mode == "RGBA" else "L")
        gray.info.pop("icc_profile", None)
        return gray
