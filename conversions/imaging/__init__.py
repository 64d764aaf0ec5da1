"""Decode a picture once, make many variants of it. Pillow only; no Django, no AWS.

Shared by the functions behind the gateway, the tests and the benchmark.

    source = open_source(data)          checks limits before it decodes; raises ImageRefused
    for recipe in recipes:
        variant = render(source, recipe)

errors.py   what is refused for good     recipe.py   how a variant is made
source.py   reading and checking         render.py   resizing and encoding
colour.py   any mode to RGB
"""

from conversions.imaging.errors import ImageRefused
from conversions.imaging.recipe import Fit, Format, Recipe
from conversions.imaging.render import Variant, render
from conversions.imaging.source import Header, Source, open_source, read_header

__all__ = [
    "Fit",
    "Format",
    "Header",
    "ImageRefused",
    "Recipe",
    "Source",
    "Variant",
    "open_source",
    "read_header",
    "render",
]
