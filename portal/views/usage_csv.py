"""What the usage page shows, as CSV."""

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from django.http import HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.views.access import TenantRequest, tenant_required
from portal.views.usage_ranges import asked, days_before
from tenants import selectors
from tenants.export import table
from tenants.models import Meter
from tenants.selectors.comparison import BesideRow, rows_beside

_COLUMNS = [
    "day", "used", "remaining", "conversions", "used_so_far", "quota", "before_day", "before",
]  # fmt: skip
_COLUMNS_BY_KEY = ["day", "key", "key_id", "used"]


def _told(rows: list[BesideRow], meter: str) -> Iterator[list[Any]]:
    """Yield what the CSV says of each day, by its columns."""
    for row in rows:
        other = row.before
        earlier = other and (other.conversions if meter == Meter.CONVERSIONS else other.used)
        told = [row.used, row.remaining, row.conversions, row.so_far, row.limit]
        yield [row.day, *told, other and other.day, earlier]


@require_safe
@tenant_required
def usage_csv(request: TenantRequest) -> HttpResponse:
    """The table as CSV, days in UTC. Empty: not limited, not told, or no such day.

    `before` is of the meter that was asked for.
    """
    tenant = request.member.tenant
    now = timezone.now()
    form, chosen = asked(request, now)
    if chosen is None:
        return HttpResponse(form.errors.as_text(), status=400, content_type="text/plain")
    days = selectors.usage_days(
        tenant=tenant, start=chosen["start"], end=chosen["end"], api_key=chosen["key"], now=now
    )
    rows = _told(rows_beside(days, days_before(tenant, chosen)), chosen["meter"])
    return _csv("usage", chosen, table(_COLUMNS, rows))


@require_safe
@tenant_required
def usage_by_key_csv(request: TenantRequest) -> HttpResponse:
    """Requests by day and key as CSV, days in UTC: a row for each day on which a key was used."""
    form, chosen = asked(request, timezone.now())
    if chosen is None:
        return HttpResponse(form.errors.as_text(), status=400, content_type="text/plain")
    usages = selectors.usage_by_key(
        tenant=request.member.tenant,
        start=chosen["start"], end=chosen["end"], api_key=chosen["key"],
    )  # fmt: skip
    rows = [
        [day, each.api_key.name, str(each.api_key.uuid), used]
        for each in usages
        for day, used in each.by_day.items()
    ]
    rows.sort(key=itemgetter(0))
    return _csv("usage-by-key", chosen, table(_COLUMNS_BY_KEY, rows))


def _csv(name: str, chosen: dict[str, Any], pieces: Iterator[bytes]) -> HttpResponse:
    response = HttpResponse(pieces, content_type="text/csv; charset=utf-8")
    file = f"{name}-{chosen['start']}-{chosen['end']}.csv"
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    return response


urlpatterns = [
    path("usage.csv", usage_csv, name="usage-csv"),
    path("usage-by-key.csv", usage_by_key_csv, name="usage-by-key-csv"),
]
