"""Resize and encode one variant of a source.

Of what a file says beside its pixels only the colour profile is kept, without which they would
mean other colours. EXIF, with the place where a photograph was taken, is not.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageColor

from conversions.imaging.recipe import Fit, Format, Recipe
from conversions.imaging.source import Source


@dataclass(frozen=True)
class Variant:
    """An encoded variant: its bytes and its size in pixels."""

    data: bytes
    width: int
    height: int


def render(source: Source, recipe: Recipe) -> Variant:
    """Make one variant. The source is never changed, and nothing is ever upscaled."""
    recipe = recipe.for_source(source.format)
    image = _resized(source.image, recipe)
    if recipe.format is Format.JPEG:
        image = _flattened(image, recipe.background)
    if image is source.image:  # never shared: Pillow keeps encoder state on the image
        image = image.copy()
    out = io.BytesIO()
    profile = image.info.get("icc_profile")
    image.save(out, icc_profile=profile, **_ENCODERS[recipe.format](recipe))
    return Variant(out.getvalue(), *image.size)


def _resized(image: Image.Image, recipe: Recipe) -> Image.Image:
    if recipe.fit is Fit.COVER and recipe.width and recipe.height:
        return _covered(image, recipe.width, recipe.height)
    scale = min(
        (recipe.width or image.width) / image.width,
        (recipe.height or image.height) / image.height,
        recipe.format.longest_side / max(image.size),
        1.0,
    )
    if scale == 1.0:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _covered(image: Image.Image, width: int, height: int) -> Image.Image:
    """Fill the box with the middle of the picture; a smaller picture gives a smaller box."""
    scale = min(image.width / width, image.height / height)
    box_width, box_height = min(width * scale, image.width), min(height * scale, image.height)
    left, top = (image.width - box_width) / 2, (image.height - box_height) / 2
    shrink = min(1.0, scale)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    box = (left, top, left + box_width, top + box_height)
    return image.resize(size, Image.Resampling.LANCZOS, box=box)


def _flattened(image: Image.Image, background: str) -> Image.Image:
    """Lay a picture with alpha on a background."""
    if image.mode != "RGBA":
        return image
    ground = Image.new("RGB", image.size, ImageColor.getrgb(background))
    ground.paste(image, mask=image.getchannel("A"))
    return ground


_ENCODERS: dict[Format, Callable[[Recipe], dict[str, Any]]] = {
    Format.JPEG: lambda r: {"format": "JPEG", "quality": r.quality, "progressive": True},
    Format.PNG: lambda _r: {"format": "PNG", "compress_level": 6},
    Format.WEBP: lambda r: {"format": "WEBP", "quality": r.quality, "method": 4},
    Format.AVIF: lambda r: {"format": "AVIF", "quality": r.quality, "speed": 8},
    Format.GIF: lambda _r: {"format": "GIF"},
}
