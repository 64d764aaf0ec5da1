"""Lists a page at a time: `?before=` names the row that the page before ended with."""

import uuid

from django.http import HttpRequest


def asked_before(request: HttpRequest) -> uuid.UUID | None:
    """Return the row that the address asks to begin before; None for the first page."""
    try:
        return uuid.UUID(request.GET.get("before", ""))
    except ValueError:
        return None
