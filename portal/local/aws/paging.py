"""Lists by page: `limit` (25 unless asked, at most 500) and an opaque `position`.

A position is the last identifier seen, so keys that come or go between two pages move nothing.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from portal.local.aws.errors import BadRequest
from portal.local.aws.wire import Request


@dataclass(frozen=True)
class Page:
    limit: int
    after: str


def page_asked(request: Request) -> Page:
    """The page that a request's query asks for. Raises BadRequest."""
    limit_text = request.query_value("limit")
    try:
        limit = 25 if limit_text is None else int(limit_text)
    except ValueError:
        raise BadRequest(f"Invalid limit {limit_text!r}: a whole number is expected") from None
    if not 1 <= limit <= 500:
        raise BadRequest("Invalid limit: it must be between 1 and 500")
    position = request.query_value("position")
    if not position:
        return Page(limit, "")
    try:
        return Page(limit, base64.urlsafe_b64decode(position.encode()).decode("ascii"))
    except (binascii.Error, UnicodeError):
        raise BadRequest("Invalid position: use the one that the previous page gave") from None


def position_after(identifier: str) -> str:
    return base64.urlsafe_b64encode(identifier.encode()).decode()


def page_of(page: Page, items: list[dict[str, Any]]) -> dict[str, Any]:
    """The wire form of a page, given one item more than it holds where there are more."""
    if len(items) <= page.limit:
        return {"item": items}
    shown = items[: page.limit]
    return {"item": shown, "position": position_after(shown[-1]["id"])}
