"""Files that go with mails: an app registers what makes those of a kind once it is ready (apps.py).

They are made when a mail is sent, from its context, and kept nowhere.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MailFile:
    """A file that is attached to a mail; `media_type` as in “application/pdf”."""

    name: str
    content: bytes
    media_type: str


Make = Callable[[Mapping[str, Any]], Iterable[MailFile]]

_MAKES: dict[str, Make] = {}


def register(kind: str, make: Make) -> None:
    """Have mails of a kind bring along what `make` returns for their context."""
    _MAKES[kind] = make


def files_of(kind: str, context: Mapping[str, Any]) -> list[MailFile]:
    """Return what goes with a mail: of most kinds nothing."""
    make = _MAKES.get(kind)
    return list(make(context)) if make else []
