"""Sharpen by an unsharp mask: what differs from the picture's blurred self differs more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageFilter

from conversions.imaging.recipe import Recipe

_RADIUS = 0.8  # pixels: of what reducing a picture makes soft


@dataclass(frozen=True)
class Sharpen:
    """`percent` is how much is added of the difference."""

    percent: int

    @classmethod
    def of(cls, recipe: Recipe, _watermarks: Mapping[str, bytes]) -> Self | None:
        return cls(recipe.sharpen) if recipe.sharpen else None

    def apply(self, image: Image.Image) -> Image.Image:
        """Alpha stays. Colours of what is transparent are kept out of what is not: blurred with
        alpha multiplied in, and divided by it again.
        """
        blur = ImageFilter.GaussianBlur(_RADIUS)
        strength = 1 + self.percent / 100
        if image.mode != "RGBA":
            return Image.blend(image.filter(blur), image, strength)
        blurred = image.convert("RGBa").filter(blur).convert("RGBA")
        sharp = Image.blend(blurred, image, strength)
        sharp.putalpha(image.getchannel("A"))
        return sharp
