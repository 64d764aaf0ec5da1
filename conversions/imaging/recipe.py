"""How a variant is made: a frozen description, as a preset's row or a message says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fit(StrEnum):
    """`cover` fills the box and crops what is outside it; `contain` fits inside it."""

    COVER = "cover"
    CONTAIN = "contain"


class Format(StrEnum):
    """What variants are encoded as."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"

    @property
    def extension(self) -> str:
        return "jpg" if self is Format.JPEG else self.value

    @property
    def media_type(self) -> str:
        return f"image/{self.value}"

    @property
    def longest_side(self) -> int:
        """How many pixels a side may have at most: WebP stores it in 14 bits, others in 16."""
        return 16_383 if self is Format.WEBP else 65_535


@dataclass(frozen=True)
class Recipe:
    """One variant. Sizes are in pixels, None where the other side decides; quality 1 to 100.

    `background` ("#rrggbb") shows through where the format has no alpha.
    """

    code: str
    version: int
    format: Format
    width: int | None = None
    height: int | None = None
    fit: Fit = Fit.CONTAIN
    quality: int = 80
    background: str = "#ffffff"

    @property
    def name(self) -> str:
        """The variant's file name: a function of the preset and its version alone."""
        return f"{self.code}-v{self.version}.{self.format.extension}"

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Recipe":
        """Read a recipe as DynamoDB or a message carries it. Raise KeyError or ValueError."""
        return cls(
            code=str(values["code"]),
            version=int(values["version"]),
            format=Format(values["format"]),
            width=int(values["width"]) if values.get("width") else None,
            height=int(values["height"]) if values.get("height") else None,
            fit=Fit(values["fit"]),
            quality=int(values["quality"]),
            background=str(values["background"]),
        )

    def to_mapping(self) -> dict[str, Any]:
        """Write the recipe as plain values, for a message."""
        return {
            "code": self.code,
            "version": self.version,
            "format": self.format.value,
            "width": self.width,
            "height": self.height,
            "fit": self.fit.value,
            "quality": self.quality,
            "background": self.background,
        }
