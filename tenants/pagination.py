"""Lists of the management API that grow without end, a page at a time, newest first.

The body stays the list alone. Where there is more, RFC 8288's Link header leads to it, by a query
that is relative to whatever address the list was asked at: the portal's, or the gateway's.
"""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, Q, QuerySet
from rest_framework import serializers
from rest_framework.request import Request

USUAL, MOST = 50, 100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Row = TypeVar("Row", bound=Model)


class PageQuerySerializer(serializers.Serializer[Any]):
    """How many at most, and the cursor that the page before led to."""

    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST, default=USUAL)
    cursor = serializers.CharField(required=False)


def page_of(rows: QuerySet[Row], *, at: str, request: Request) -> tuple[list[Row], dict[str, str]]:
    """Return a page of rows, newest by the moment `at` first, and the headers to answer with.

    It begins behind the row that its cursor names, so that rows that come or go neither double nor
    hide others. Raise ValidationError for a query that makes no sense.
    """
    query = request.query_params.dict()
    asked = PageQuerySerializer(data=query)
    asked.is_valid(raise_exception=True)
    if "cursor" in asked.validated_data:
        moment, pk = _parsed(asked.validated_data["cursor"])
        rows = rows.filter(Q(**{f"{at}__lt": moment}) | Q(**{at: moment, "pk__lt": pk}))
    limit = asked.validated_data["limit"]
    found = list(rows.order_by(f"-{at}", "-pk")[: limit + 1])
    if len(found) <= limit:
        return found, {}
    last = found[limit - 1]
    return found[:limit], next_link({**query, "cursor": _cursor(getattr(last, at), last.pk)})


def next_link(query: dict[str, Any]) -> dict[str, str]:
    """Return the header that leads to the page of this query."""
    return {"Link": f'<?{urlencode(query)}>; rel="next"'}


def _cursor(moment: datetime, pk: int) -> str:
    place = f"{(moment - EPOCH) // MICROSECOND}-{pk}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _parsed(cursor: str) -> tuple[datetime, int]:
    try:
        place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        microseconds, pk = (int(part) for part in place.split("-"))
        moment = EPOCH + microseconds * MICROSECOND
    except (ValueError, OverflowError) as error:
        raise serializers.ValidationError({"cursor": "This is no cursor of ours."}) from error
    return moment, min(pk, 2**63 - 1)  # no row has more
