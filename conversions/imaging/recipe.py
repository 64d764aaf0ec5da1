"""How a variant of a picture is made: a frozen description, as a preset's row or a message says it.

A message may come from an older portal, or go to older functions: what it lacks has a default, and
what a reader does not know is passed over.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self

from conversions.names import variant_name


class Fit(StrEnum):
    """How a picture of other proportions comes into the box of width and height.

    CONTAIN fits it inside, the result may be smaller than the box. COVER fills the box, and cuts
    off evenly what is outside. CROP does that around a focal point. PAD fits it inside, and fills
    the rest of the box with the background.
    """

    CONTAIN = "contain"
    COVER = "cover"
    CROP = "crop"
    PAD = "pad"


class Format(StrEnum):
    """What variants are encoded as. ORIGINAL stands for what the source is (Recipe.for_source)."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    GIF = "gif"
    ORIGINAL = "original"

    @property
    def extension(self) -> str:
        return "jpg" if self is Format.JPEG else self.value

    @property
    def media_type(self) -> str:
        return f"image/{self.value}"

    @property
    def longest_side(self) -> int:
        """How many pixels a side may have at most: WebP stores it in 14 bits, others in 16 at
        least, of which libjpeg takes a little less, and libavif half. Frames of a GIF are read
        again while it is written, as those of an upload are (limits.MOST_SIDE).
        """
        return _LONGEST_SIDES.get(self, 65_535)


_LONGEST_SIDES = {Format.JPEG: 65_500, Format.WEBP: 16_383, Format.AVIF: 32_768, Format.GIF: 30_000}


class Animation(StrEnum):
    """What becomes of a moving picture where the format can move. Others get the first frame."""

    KEEP = "keep"
    FIRST_FRAME = "first"


class Metadata(StrEnum):
    """What of a file's EXIF goes along: nothing, who made it and whose it is, or all of it.

    The orientation never does, since the pixels are turned.
    """

    STRIP = "strip"
    COPYRIGHT = "copyright"
    KEEP = "keep"


class Effort(StrEnum):
    """What an encoder may spend: a FASTER one takes less time, a SMALLER one fewer bytes."""

    FASTER = "faster"
    SMALLER = "smaller"


class Position(StrEnum):
    """Where a watermark stands."""

    TOP_LEFT = "top_left"
    TOP_RIGHT = "top_right"
    CENTRE = "centre"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM_RIGHT = "bottom_right"


@dataclass(frozen=True)
class Watermark:
    """A picture laid over the variant. `key` names its bytes (SHA-256, hex).

    `width` and `opacity` are in percent: of the variant's width, and of full.
    """

    key: str
    position: Position = Position.BOTTOM_RIGHT
    width: int = 20
    opacity: int = 50


@dataclass(frozen=True)
class Recipe:
    """One variant. Sizes are in pixels, None where the other side decides; quality 1 to 100.

    `focal_x` and `focal_y` (percent from the left and the top) are what CROP keeps in view.
    `background` ("#rrggbb") fills PAD's rest, and shows through where the format has no alpha.
    `sharpen` is the strength of an unsharp mask in percent, 0 for none. With `srgb` off, pixels
    stay in the source's colours and its profile goes along. `progressive` is for JPEG.
    """

    code: str
    version: int
    format: Format
    width: int | None = None
    height: int | None = None
    fit: Fit = Fit.CONTAIN
    upscale: bool = False
    focal_x: int = 50
    focal_y: int = 50
    quality: int = 80
    effort: Effort = Effort.FASTER
    progressive: bool = True
    background: str = "#ffffff"
    animation: Animation = Animation.KEEP
    grayscale: bool = False
    sharpen: int = 0
    srgb: bool = True
    metadata: Metadata = Metadata.COPYRIGHT
    watermark: Watermark | None = None

    @property
    def name(self) -> str:
        """The variant's file name: a function of the preset and its version alone."""
        return variant_name(self.code, self.version, self.format.extension)

    def for_source(self, kind: str) -> Self:
        """Return the recipe for a source of this format, as its Header says it: "JPEG", "TIFF", …

        What no variant can be, TIFF and BMP, becomes a PNG, which loses as little.
        """
        if self.format is not Format.ORIGINAL:
            return self
        known = {each.name: each for each in Format}
        return replace(self, format=known.get(kind, Format.PNG))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Read a recipe as DynamoDB or a message carries it. Raise KeyError or ValueError.

        DynamoDB's numbers are Decimals, and what was None may be missing.
        """
        read: dict[str, Any] = {"code": values["code"], "format": values["format"]}
        read["version"] = values["version"]
        read |= {name: values[name] for name in _OPTIONAL if values.get(name) is not None}
        if "watermark" in read:
            read["watermark"] = Watermark(**_typed(Watermark, read["watermark"]))
        return cls(**_typed(cls, read))

    def to_mapping(self) -> dict[str, Any]:
        """Write the recipe as plain values, for a message."""
        return asdict(self)


_READERS: dict[str, Any] = {
    "format": Format,
    "fit": Fit,
    "effort": Effort,
    "animation": Animation,
    "metadata": Metadata,
    "position": Position,
    "code": str,
    "key": str,
    "background": str,
    "upscale": bool,
    "progressive": bool,
    "grayscale": bool,
    "srgb": bool,
    "watermark": lambda given: given,
}
_OPTIONAL = [each.name for each in fields(Recipe) if each.name not in {"code", "version", "format"}]


def _typed(kind: type[Recipe] | type[Watermark], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that `kind` has, as the types that it has them in; the rest are numbers."""
    known = {each.name for each in fields(kind)}
    return {name: _READERS.get(name, int)(value) for name, value in values.items() if name in known}
