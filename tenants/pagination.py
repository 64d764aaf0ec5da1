"""Lists of the management API that grow without end, a page at a time, newest first.

The body stays the list alone. Where there is more, RFC 8288's Link header leads to it, by a query
that is relative to whatever address the list was asked at: the portal's, or the gateway's.
"""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from tenants.selectors.paging import Place, Row, page_behind

USUAL, MOST = 50, 100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class PageQuerySerializer(serializers.Serializer[Any]):
    """How many at most, and the cursor that the page before led to."""

    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST, default=USUAL)
    cursor = serializers.CharField(required=False)


def page_of(rows: QuerySet[Row], *, at: str, request: Request) -> tuple[list[Row], dict[str, str]]:
    """Return a page of rows, newest by the moment `at` first, and the headers to answer with.

    It begins behind the row that its cursor names. Raise ValidationError for a query that makes no
    sense.
    """
    query = request.query_params.dict()
    asked = PageQuerySerializer(data=query)
    asked.is_valid(raise_exception=True)
    cursor, limit = asked.validated_data.get("cursor"), asked.validated_data["limit"]
    behind = None if cursor is None else _parsed(cursor)
    found, last = page_behind(rows, at=at, behind=behind, count=limit)
    if last is None:
        return found, {}
    return found, next_link({**query, "cursor": _cursor(getattr(last, at), last.pk)})


def next_link(query: dict[str, Any]) -> dict[str, str]:
    """Return the header that leads to the page of this query."""
    return {"Link": f'<?{urlencode(query)}>; rel="next"'}


def _cursor(moment: datetime, pk: int) -> str:
    place = f"{(moment - EPOCH) // MICROSECOND}-{pk}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _parsed(cursor: str) -> Place:
    try:
        place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        microseconds, pk = (int(part) for part in place.split("-"))
        moment = EPOCH + microseconds * MICROSECOND
    except (ValueError, OverflowError) as error:
        raise serializers.ValidationError({"cursor": "This is no cursor of ours."}) from error
    return moment, min(pk, 2**63 - 1)  # no row has more
