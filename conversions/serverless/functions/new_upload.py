"""What a call for an upload asks for.

The gateway holds bodies against the same demands (NewUpload, in the template). They are made here
as well, since what gets through goes on to the portal's database, which takes no NUL and no half of
a surrogate pair.
"""

import json
import unicodedata
from dataclasses import dataclass

LONGEST_NAME = 255  # characters
UNWANTED = {"Cc", "Cs"}  # Unicode's categories of control characters and of surrogates


@dataclass(frozen=True)
class NewUpload:
    """`presets` are codes; None: all of the tenant's."""

    filename: str
    content_type: str
    presets: list[str] | None


def read(text: str | None) -> NewUpload:
    """Read a body. Raise ValueError, which says to the caller what is wrong."""
    try:
        body = json.loads(text or "")
    except ValueError as error:
        raise ValueError("The body is no JSON.") from error
    if not isinstance(body, dict):
        raise ValueError("The body is no object.")
    presets = body.get("presets")
    if presets is not None and not (
        isinstance(presets, list) and all(isinstance(code, str) for code in presets)
    ):
        raise ValueError("`presets` is a list of codes.")
    content_type = body.get("content_type", "application/octet-stream")
    if not isinstance(content_type, str):
        raise ValueError("`content_type` is a text.")
    return NewUpload(_name(body.get("filename")), content_type, presets)


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
