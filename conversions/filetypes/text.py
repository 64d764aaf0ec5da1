"""Texts: character set to UTF-8, line endings, and tables from CSV to JSON and back.

Sizes are limited, and with them the time: no text takes more than some seconds.
"""

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from conversions.filetypes import charset, tables
from conversions.filetypes.base import Header, Made
from conversions.imaging import FileRefused
from conversions.names import variant_name

MOST_BYTES = 10_000_000

_NEWLINE = re.compile(r"\r\n|\r|\n")
# Documents that are text to look at, and something else to whoever opens them. Some say inside in
# which character set they are, which would be wrong once they are UTF-8.
_MARKUP = re.compile(r"\s*(<\?xml|<!doctype|<!--|<html|<svg|%!ps|%pdf|\{\\rtf)", re.IGNORECASE)
_BEGINNING = 1000  # bytes


class TextFormat(StrEnum):
    """What texts become. ORIGINAL stands for what the source is."""

    TXT = "txt"
    CSV = "csv"
    JSON = "json"
    ORIGINAL = "original"

    @property
    def extension(self) -> str:
        return self.value

    @property
    def tables_of(self) -> str | None:
        """The format of the tables that become it; None: it is made of any text."""
        return {TextFormat.JSON: "CSV", TextFormat.CSV: "JSON"}.get(self)

    @property
    def media_type(self) -> str:
        """The type, with the character set where the type does not settle it (RFC 8259)."""
        if self is TextFormat.JSON:
            return "application/json"
        return f"text/{'csv' if self is TextFormat.CSV else 'plain'}; charset=utf-8"


class LineEndings(StrEnum):
    """How lines end. What is made anew ends them, for KEEP, as the source's first line does."""

    LF = "lf"
    CRLF = "crlf"
    KEEP = "keep"


_FORMATS = {"TEXT": TextFormat.TXT, "CSV": TextFormat.CSV, "JSON": TextFormat.JSON}
_ENDINGS = {LineEndings.LF: "\n", LineEndings.CRLF: "\r\n"}


@dataclass(frozen=True)
class TextRecipe:
    """One variant of a text, in UTF-8 without a byte order mark."""

    code: str
    version: int
    format: TextFormat
    line_endings: LineEndings = LineEndings.LF

    @property
    def name(self) -> str:
        """The variant's file name, as of a picture's: of the preset and its version alone."""
        return variant_name(self.code, self.version, self.format.extension)

    def for_source(self, kind: str) -> "TextRecipe":
        """Return the recipe for a source of this format, as its Header says it."""
        if self.format is not TextFormat.ORIGINAL:
            return self
        return replace(self, format=_FORMATS[kind])

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "TextRecipe":
        """Read a recipe as DynamoDB or a message carries it. Raise KeyError or ValueError."""
        return cls(
            code=str(values["code"]),
            version=int(values["version"]),
            format=TextFormat(values["format"]),
            line_endings=LineEndings(values.get("line_endings") or LineEndings.LF),
        )

    def to_mapping(self) -> dict[str, Any]:
        return {"applies_to": Text.code, **asdict(self)}


class Text:
    """Plain texts, CSV and JSON."""

    code = "text"

    def recognises(self, data: bytes) -> bool:
        beginning = data[:_BEGINNING].replace(b"\0", b"").decode("ascii", "ignore")
        return charset.is_text(data) and _MARKUP.match(beginning) is None

    def inspect(self, data: bytes) -> Header:
        return _header(_decoded(data))

    def recipe(self, values: Mapping[str, Any]) -> TextRecipe:
        return TextRecipe.from_mapping(values)

    def applicable(self, header: Header, recipes: Sequence[object]) -> list[TextRecipe]:
        """Return what applies: CSV becomes JSON, JSON that is a table CSV, and each plain text."""
        sources = (None, header.format if header.is_table else None)
        return [
            each.for_source(header.format)
            for each in recipes
            if isinstance(each, TextRecipe) and each.format.tables_of in sources
        ]

    def plan(self, header: Header, recipes: Sequence[TextRecipe]) -> list[list[TextRecipe]]:
        """Make all at once, and last what a broken table may be refused for."""
        source = (TextFormat.TXT, _FORMATS[header.format])
        return [sorted(recipes, key=lambda each: each.format not in source)] if recipes else []

    def convert(
        self,
        data: bytes,
        recipes: Sequence[TextRecipe],
        *,
        watermarks: Mapping[str, bytes],
        seconds: float,
    ) -> Generator[tuple[TextRecipe, Made], None, None]:
        text = _decoded(data)
        header = _header(text)
        for recipe in recipes:
            made = _converted(text, header, recipe)
            # Half a surrogate pair, which JSON can spell out, becomes a question mark.
            yield recipe, Made(made.encode("utf-8", "replace"))


def _decoded(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise FileRefused(
            "too_many_bytes", f"A text may have {MOST_BYTES // 1_000_000} MB at most."
        )
    return charset.decoded(data)


def _header(text: str) -> Header:
    if tables.is_json(text):
        return Header("JSON", is_table=tables.is_json_table(text))
    is_csv = tables.delimiter_of(text) is not None
    return Header("CSV" if is_csv else "TEXT", is_table=is_csv)


def _converted(text: str, header: Header, recipe: TextRecipe) -> str:
    first = _NEWLINE.search(text)
    newline = _ENDINGS.get(recipe.line_endings) or (first[0] if first else "\n")
    if recipe.format in (TextFormat.TXT, _FORMATS[header.format]):
        return text if recipe.line_endings is LineEndings.KEEP else _NEWLINE.sub(newline, text)
    if recipe.format is TextFormat.JSON:
        return tables.csv_to_json(text, newline=newline)
    return tables.json_to_csv(text, newline=newline)
