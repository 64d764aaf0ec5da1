"""Decode a picture once, make many variants of it. Pillow only; no Django, no AWS.

Shared by the functions behind the gateway, the tests and the benchmark.

    for recipe, variant in make_variants(data, recipes):
        ...                             as each is ready; raises FileRefused

errors.py    what is refused for good       recipe.py    how a variant is made
header.py    reading what it is             limits.py    what is too much of it
decode.py    at the scale that is needed    colour.py    any colours to sRGB
jpeg.py      in how many scans it is        memory.py    how much a unit takes
png.py       its transparent shade          tiff.py      as its tags say
geometry.py  which part, of which size      pyramid.py   sizes made of larger ones
metadata.py  what of EXIF goes along        encode.py    the encoders' settings
fan_out.py   from a source to its variants  work.py      on the process's threads
plan.py      which variants go together     cost.py      what each step takes
operations/  what else is done to one       finish.py    all that, once it has its size
moving/      frames of moving pictures
"""

from conversions.imaging.errors import FileRefused, VariantRefused
from conversions.imaging.fan_out import Variant, make_variants, make_variants_of
from conversions.imaging.header import Header, read_header
from conversions.imaging.plan import plan_units
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
    "Variant",
    "VariantRefused",
    "Watermark",
    "make_variants",
    "make_variants_of",
    "plan_units",
    "read_header",
]
