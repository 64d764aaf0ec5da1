"""Encode a picture: the settings of each format, as a recipe asks for them."""

import io
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import Any

from PIL import Image

from conversions.imaging.moving.gif_writer import encode_gif
from conversions.imaging.recipe import Effort, Format, Recipe


def encode(image: Image.Image, recipe: Recipe, *, exif: bytes = b"", threads: int = 1) -> bytes:
    """Return the picture's bytes, with the EXIF given, and the colour profile that it has.

    Of all encoders, AVIF's alone can use several threads.

    Pillow keeps an encoder's settings on the image while it saves: it must be nobody else's. What
    else the source's file said, such as a JPEG's comment, would go along unasked.
    """
    if recipe.format is Format.GIF:
        return encode_gif(image)
    options = settings(recipe)
    if recipe.format is Format.AVIF:
        options["max_threads"] = threads
    if exif:
        options["exif"] = exif
    profile, image.info = image.info.get("icc_profile"), {}
    # Pillow holds Python's lock while it encodes a JPEG, unless it writes to a real file.
    with TemporaryFile() if recipe.format is Format.JPEG else io.BytesIO() as out:
        image.save(out, **options, icc_profile=profile)
        out.seek(0)
        return out.read()


def settings(recipe: Recipe) -> dict[str, Any]:
    """Return what Pillow's `save` is told for a recipe; not for a GIF, which has a writer here."""
    smaller = recipe.effort is Effort.SMALLER
    return {"format": recipe.format.name, **_SETTINGS[recipe.format](recipe, smaller)}


_SETTINGS: dict[Format, Callable[[Recipe, bool], dict[str, Any]]] = {
    Format.JPEG: lambda recipe, smaller: {
        "quality": recipe.quality,
        "progressive": recipe.progressive,
        "optimize": smaller,
    },
    Format.PNG: lambda _, smaller: {"compress_level": 9 if smaller else 6},
    Format.WEBP: lambda recipe, smaller: {"quality": recipe.quality, "method": 6 if smaller else 4},
    Format.AVIF: lambda recipe, smaller: {
        "quality": recipe.quality,
        "speed": 6 if smaller else 8,
        "max_threads": 1,
    },
}
