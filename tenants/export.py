"""What a tenant takes along, in parts: each app says its own, the portal makes one archive of them.

A part is written when its turn comes, piece by piece, so that memory stays flat.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.functional import Promise

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes a text for that begins so


class PartMissing(Exception):
    """A part cannot be had; the others can."""


@dataclass(frozen=True)
class Part:
    """A file of the archive: its path there, what it is (empty: its folder says so), its bytes.

    `pieces` raises PartMissing where there are none, also midway.
    """

    path: str
    about: str | Promise
    pieces: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Folder:
    """Many files of one kind, read when their turn comes."""

    path: str
    about: str | Promise
    parts: Callable[[], Iterator[Part]]


def harmless(text: str) -> str:
    """Return a text such that a spreadsheet takes none for a formula: people chose their names."""
    return f"'{text}" if text.startswith(FORMULA) else text


class Echo:
    """A file that hands back what is written into it."""

    def write(self, text: str) -> str:
        return text


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Write a CSV file. Moments are in ISO 8601, what is nested is JSON, None is empty."""
    writer = csv.writer(Echo())
    yield writer.writerow(columns).encode()
    for row in rows:
        yield writer.writerow(_cell(value) for value in row).encode()


def document(facts: Mapping[str, Any]) -> Iterator[bytes]:
    """Write a JSON file of one object."""
    yield json.dumps(facts, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2).encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return harmless(value) if isinstance(value, str) else str(value)
