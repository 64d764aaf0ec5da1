"""Tables: CSV to JSON, and JSON to CSV. Text in, text out, row by row; neither reads a number.

CSV becomes a list of objects, one for each row, by the names in the first. Values stay strings:
007 and 1.10 are what they were, and no guess is made what an empty one means.

JSON becomes CSV if it is a list of objects, whose keys are the columns in the order in which they
first appear, or a list of lists, which are the rows as they stand. Numbers are written as the
source has them, null and what is missing as nothing, and what is nested as JSON.

Nothing is done about values that begin with =, +, - or @. A spreadsheet may run them as formulas
(CSV injection): whoever opens a table from strangers there imports its columns as text. Changing
the values would break the table for everybody else.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

from conversions.imaging import FileRefused

DELIMITERS = ",;\t|"
MOST_ROWS, MOST_COLUMNS = 200_000, 1_000
MOST_DEPTH = 100  # of a value in a table: Python's own limit moves with whoever calls
LARGEST = 50_000_000  # characters of a result: names are repeated in each row of JSON
_SNIFFED, _BEGINNING = 50, 100_000  # rows, and the characters in which they are looked for
_ALIKE = 0.75  # of the rows have as many values as the first, or it is prose with commas in it
_JSON = re.compile(r"\s*(\{\s*[\"}]|\[\s*[\[{\]\"])")
_JSON_TABLE = re.compile(r"\s*\[\s*[\[{]")
_LINE = re.compile(r"[^\r\n]*+(?:\r\n?|\n)|[^\r\n]++")

Row = list[str]


class _Number(str):
    """A number of JSON's, as it is written there."""


def is_json(text: str) -> bool:
    """Say whether this begins as JSON does; it may still be broken further on."""
    return _JSON.match(text) is not None


def is_json_table(text: str) -> bool:
    """Say whether this is JSON that begins as a list of objects or of lists does."""
    return _JSON_TABLE.match(text) is not None


def delimiter_of(text: str) -> str | None:
    """Return what separates the values of a row; None: this is no CSV.

    It is one where the rows at its beginning are alike, and have two values or more.
    """
    found = []
    for delimiter in DELIMITERS:
        widths = list(_widths(text, delimiter))
        alike = widths.count(widths[0]) / len(widths) if widths else 0
        if len(widths) > 1 and widths[0] > 1 and alike >= _ALIKE:
            found.append((alike, widths[0], delimiter))
    return max(found, key=lambda each: each[:2])[2] if found else None


def csv_to_json(text: str, *, newline: str) -> str:
    """Return the table as a list of objects, one a line. Raise FileRefused."""
    rows = _csv_rows(_lines(text), delimiter_of(text) or DELIMITERS[0])
    _, names = next(rows)
    for name in names:
        if names.count(name) > 1:
            _refuse(1, f"the column “{_short(name)}” is there twice.")
    objects = []
    size = 0
    for line, row in rows:
        if len(row) != len(names):
            _refuse(line, f"it has {len(row)} values, and the first row {len(names)}.")
        objects.append(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False))
        size = _grown(size, len(objects[-1]))
    return f"[{newline}{f',{newline}'.join(objects)}{newline}]{newline}"


def json_to_csv(text: str, *, newline: str) -> str:
    """Return the table as CSV, with commas. Raise FileRefused."""
    lines: list[str] = []
    # The module quotes what has either character of this ending in it; it is replaced below.
    writer = csv.writer(SimpleNamespace(write=lines.append), lineterminator="\r\n")
    size = 0
    for row in _json_rows(_entries(text)):
        writer.writerow(row)
        lines[-1] = lines[-1].removesuffix("\r\n")
        size = _grown(size, len(lines[-1]))
    return newline.join([*lines, ""])


def _widths(text: str, delimiter: str) -> Iterator[int]:
    """Count the values in each of the first rows; 0 stands for one that cannot be read."""
    lines = _lines(_beginning(text))
    try:
        for number, (_, row) in enumerate(_csv_rows(lines, delimiter)):
            if number == _SNIFFED:
                return
            yield len(row)
    except FileRefused:
        is_cut_off = len(text) > _BEGINNING and next(lines, None) is None
        if not is_cut_off:
            yield 0


def _beginning(text: str) -> str:
    """Return the first lines; a quoted value may be cut off after one."""
    if len(text) <= _BEGINNING:
        return text
    return text[: max(text.rfind(end, 0, _BEGINNING) for end in "\r\n") + 1]


def _csv_rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, Row]]:
    """Yield each row that is not empty, with the number of its last line. Raise FileRefused."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    count = 0
    try:
        for row in reader:
            count += 1  # empty ones, too, which take as long to read
            if count > MOST_ROWS:
                _too_large(f"only {MOST_ROWS} rows are allowed.")
            if not row:
                continue
            if len(row) > MOST_COLUMNS:
                _too_large(f"only {MOST_COLUMNS} columns are allowed.")
            yield reader.line_num, row
    except csv.Error as error:
        _refuse(reader.line_num, f"it cannot be read as CSV ({error}).")


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends; str.splitlines would end them at other characters, too."""
    return (match[0] for match in _LINE.finditer(text))


def _entries(text: str) -> list[Any]:
    """Read JSON. Raise FileRefused."""
    try:
        entries = json.loads(
            text, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        _refuse(error.lineno, f"it is not JSON ({error.msg}, at character {error.colno}).")
    except ValueError as error:
        raise FileRefused("not_a_table", f"It is not JSON ({error}).") from error
    except RecursionError:
        _too_deep()
    if not isinstance(entries, list) or not entries:
        raise FileRefused("not_a_table", "Only a list of objects, or of lists, becomes a table.")
    if len(entries) > MOST_ROWS:
        _too_large(f"only {MOST_ROWS} rows are allowed.")
    return entries


def _json_rows(entries: list[Any]) -> Iterator[Row]:
    kind = type(entries[0])
    for number, entry in enumerate(entries, start=1):
        if type(entry) is not kind or kind not in (dict, list):
            raise FileRefused(
                "not_a_table",
                f"Entry {number}: all have to be objects, or all of them lists.",
            )
    columns = (
        list(dict.fromkeys(name for entry in entries for name in entry)) if kind is dict else []
    )
    widths = {len(entry) for entry in entries} if kind is list else {len(columns)}
    if max(widths) > MOST_COLUMNS:
        _too_large(f"only {MOST_COLUMNS} columns are allowed.")
    if widths == {0}:
        raise FileRefused("not_a_table", "The table has no columns.")
    if kind is dict:
        _grown(0, len(entries) * (len(columns) - 1))  # commas, however little is between them
        yield columns
    for entry in entries:
        values = entry if kind is list else (entry.get(name) for name in columns)
        yield [_cell(value) for value in values]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else _json(value)


def _json(value: Any, depth: int = 1) -> str:
    """Write a value as JSON; the json module would write our numbers as strings."""
    if depth > MOST_DEPTH:
        _too_deep()
    if isinstance(value, dict):
        items = (f"{_quoted(name)}: {_json(item, depth + 1)}" for name, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_json(item, depth + 1) for item in value)}]"
    if isinstance(value, _Number):
        return value
    return _quoted(value)


def _quoted(value: str | bool | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _grown(size: int, more: int) -> int:
    size += more
    if size > LARGEST:
        _too_large(f"it would become more than {LARGEST} characters.")
    return size


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:40]}…"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON's")


def _too_large(why: str) -> NoReturn:
    raise FileRefused("table_too_large", f"The table is too large: {why}")


def _too_deep() -> NoReturn:
    raise FileRefused("not_a_table", "The JSON is nested too deeply.")


def _refuse(line: int, why: str) -> NoReturn:
    raise FileRefused("not_a_table", f"Line {line}: {why}")
