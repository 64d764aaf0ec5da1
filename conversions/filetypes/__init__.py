"""Which kind of file it is, by its bytes, and what is done with that kind. No Django, no AWS.

    kind = identify(data)                          raises FileRefused
    header = kind.inspect(data)                    checks limits; raises FileRefused
    recipes = kind.applicable(header, [recipe_of(preset) for preset in presets])
    for unit in kind.plan(header, recipes):
        for recipe, made in kind.convert(data, unit, watermarks={}, seconds=60): ...

A new kind of file is one more adapter in KINDS.

base.py      what an adapter is     picture.py   what conversions.imaging decodes
pdf.py       pages of PDFs          pdfium.py    the program that draws them
text.py      texts                  charset.py   which characters bytes are
                                    tables.py    CSV to JSON, and back
"""

from collections.abc import Mapping
from typing import Any

from conversions.filetypes.base import FileType, Header, Made
from conversions.filetypes.pdf import PageRecipe, Pdf
from conversions.filetypes.picture import Picture
from conversions.filetypes.text import LineEndings, Text, TextFormat, TextRecipe
from conversions.imaging import FileRefused, Recipe

__all__ = [
    "AnyRecipe",
    "FileType",
    "Header",
    "LineEndings",
    "Made",
    "PageRecipe",
    "TextFormat",
    "TextRecipe",
    "by_code",
    "identify",
    "recipe_of",
]

AnyRecipe = Recipe | PageRecipe | TextRecipe
KINDS: tuple[FileType[Any], ...] = (Picture(), Pdf(), Text())


def identify(data: bytes) -> FileType[Any]:
    """Say what kind of file this is. Raise FileRefused where it is none of them, or empty."""
    if not data:
        raise FileRefused("empty", "The file is empty.")
    for kind in KINDS:
        if kind.recognises(data):
            return kind
    raise FileRefused("not_supported", "This is not a file of a kind that can be converted.")


def by_code(code: str) -> FileType[Any]:
    """Return the kind with this code, "image" or another. Raise KeyError."""
    return {kind.code: kind for kind in KINDS}[code]


def recipe_of(values: Mapping[str, Any]) -> AnyRecipe:
    """Read a preset's mapping as the recipe of the kind of file that it applies to.

    Presets of before there were others apply to pictures. Raise KeyError or ValueError.
    """
    recipe: AnyRecipe = by_code(values.get("applies_to", Picture.code)).recipe(values)
    return recipe
