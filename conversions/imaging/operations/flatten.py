"""Lay what is transparent on the background, for a format that has no alpha."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageColor

from conversions.imaging.recipe import Format, Recipe


@dataclass(frozen=True)
class Flatten:
    """`background` is "#rrggbb"."""

    background: str

    @classmethod
    def of(cls, recipe: Recipe, _watermarks: Mapping[str, bytes]) -> Self | None:
        return cls(recipe.background) if recipe.format is Format.JPEG else None

    def apply(self, image: Image.Image) -> Image.Image:
        if image.mode != "RGBA":
            return image
        ground = Image.new("RGB", image.size, ImageColor.getrgb(self.background))
        ground.paste(image, mask=image.getchannel("A"))
        ground.info = dict(image.info)
        return ground
