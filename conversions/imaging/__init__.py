"""Decode a picture once, make many variants of it. Pillow only; no Django, no AWS.

Shared by the functions behind the gateway, the tests and the benchmark.

    source = open_source(data)          checks limits before it decodes; raises FileRefused
    for recipe in recipes:
        variant = render(source, recipe)

errors.py   what is refused for good     recipe.py   how a variant is made
source.py   reading and checking         render.py   resizing and encoding
colour.py   any mode to RGB
"""

from conversions.imaging.errors import FileRefused
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
from conversions.imaging.source import Header, Source, open_source, read_header

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
