"""What calls about uploads ask for: their bodies and parameters.

The gateway holds bodies against the same demands (NewUpload and UploadChange, in the template).
They are made here as well, since what gets through goes on to the portal's database, which takes no
NUL and no half of a surrogate pair. Of parameters the gateway looks at none.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 255  # characters
UNWANTED = {"Cc", "Cs"}  # Unicode's categories of control characters and of surrogates
USUAL, MOST = 50, 100  # uploads of a page
STATES = ("waiting", "processing", "done", "failed")
LIMIT = re.compile("[1-9][0-9]?|100")  # 1 to MOST
CURSOR = re.compile("[0-9]{13}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # see records.place


@dataclass(frozen=True)
class NewUpload:
    """`presets` are codes; None: all of the tenant's."""

    filename: str
    content_type: str
    presets: list[str] | None
    is_public: bool


@dataclass(frozen=True)
class Page:
    """Which uploads to list: how many, older than the cursor, of one state; None for any."""

    limit: int
    cursor: str | None
    state: str | None


def new_upload(text: str | None) -> NewUpload:
    """Read the body of a call for an upload. Raise ValueError, which says what is wrong."""
    body = _object(text)
    presets = body.get("presets")
    if presets is not None and not (
        isinstance(presets, list) and all(isinstance(code, str) for code in presets)
    ):
        raise ValueError("`presets` is a list of codes.")
    content_type = body.get("content_type", "application/octet-stream")
    if not isinstance(content_type, str):
        raise ValueError("`content_type` is a text.")
    is_public = _truth(body.get("public", False))
    return NewUpload(_name(body.get("filename")), content_type, presets, is_public)


def is_public(text: str | None) -> bool:
    """Read the body of a call that shares an upload. Raise ValueError, which says what is wrong."""
    return _truth(_object(text).get("public"))


def page(parameters: Mapping[str, str]) -> Page:
    """Read the parameters of a call for a list. Raise ValueError, which says what is wrong."""
    if unknown := sorted(parameters.keys() - {"limit", "cursor", "state"}):
        raise ValueError(f"Unknown parameters: {', '.join(unknown)}.")
    limit = parameters.get("limit", str(USUAL))
    if not LIMIT.fullmatch(limit):
        raise ValueError(f"`limit` is a number from 1 to {MOST}.")
    state = parameters.get("state")
    if state not in (None, *STATES):
        raise ValueError(f"`state` is one of {', '.join(STATES)}.")
    cursor = parameters.get("cursor")
    if cursor is not None and not CURSOR.fullmatch(cursor):
        raise ValueError("`cursor` is what the page before gave as `next_cursor`.")
    return Page(int(limit), cursor, state)


def _object(text: str | None) -> dict[str, Any]:
    try:
        body = json.loads(text or "")
    except ValueError as error:
        raise ValueError("The body is no JSON.") from error
    if not isinstance(body, dict):
        raise ValueError("The body is no object.")
    return body


def _truth(given: object) -> bool:
    if not isinstance(given, bool):
        raise ValueError("`public` is true or false.")
    return given


def _name(given: object) -> str:
    """Return a file's name without the folders before it."""
    if not isinstance(given, str) or len(given) > LONGEST_NAME:
        raise ValueError(f"`filename` is a text of at most {LONGEST_NAME} characters.")
    name = given.replace("\\", "/").rsplit("/", 1)[-1].strip()
    if not name:
        raise ValueError("The file needs a name.")
    if not UNWANTED.isdisjoint(map(unicodedata.category, name)):
        raise ValueError("`filename` has control characters in it.")
    return name
