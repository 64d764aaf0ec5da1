"""Decode a picture once, make many variants of it. Pillow only; no Django, no AWS.

Shared by the functions behind the gateway, the tests and the benchmark.

    source = open_source(data)          checks limits before it decodes; raises FileRefused
    for recipe in recipes:
        variant = render(source, recipe)

errors.py    what is refused for good     recipe.py    how a variant is made
header.py    reading what it is           limits.py    what is too much of it
source.py    decoding                     render.py    resizing and encoding
colour.py    any colours to sRGB          metadata.py  what of EXIF goes along
operations/  what else is done    moving/      frames of moving pictures
"""

from conversions.imaging.errors import FileRefused
from conversions.imaging.header import Header, read_header
from conversions.imaging.recipe import (
    Animation,
    Effort,
    Fit,
    Format,
    Metadata,
    Position,
    Recipe,
    Watermark,
)
from conversions.imaging.render import Variant, render
from conversions.imaging.source import Source, open_source

__all__ = [
    "Animation",
    "Effort",
    "FileRefused",
    "Fit",
    "Format",
    "Header",
    "Metadata",
    "Position",
    "Recipe",
    "Source",
    "Variant",
    "Watermark",
    "open_source",
    "read_header",
    "render",
]
