"""The usage page: any range of days, what came before it, and the same as CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest
from operator import itemgetter
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.forms import UsageRangeForm
from portal.views.access import TenantRequest, tenant_required
from portal.views.charts import KeySeries, daily_chart, key_series, quota_chart
from portal.views.live import live_context
from tenants import selectors
from tenants.export import table
from tenants.models import Meter, Tenant
from tenants.periods import Period, period_with
from tenants.selectors import DayRow, UsageNow
from tenants.selectors.comparison import Before, usage_before
from tenants.selectors.live_pages import LiveComparison
from tenants.selectors.pace import outlook, pace_days

DAY = timedelta(days=1)
_COLUMNS = [
    "day", "used", "remaining", "conversions", "used_so_far", "quota", "before_day", "before",
]  # fmt: skip
_COLUMNS_BY_KEY = ["day", "key", "key_id", "used"]
LEAST_DAYS = 7  # that the page begins with: a period's first day alone shows nothing


@dataclass(frozen=True)
class Preset:
    """A range to choose at once, of UTC days, both included."""

    label: str
    start: date
    end: date


def presets(*, tenant: Tenant, now: datetime, chosen: Period | None) -> list[Preset]:
    """Return the ranges that people ask for most, and from one that is over the periods beside."""
    kind, today = tenant.usage_plan.quota_period, now.astimezone(UTC).date()
    period = period_with(kind, today)
    last = period_with(kind, period.start - DAY)
    found = [
        Preset(_("This period"), period.start, today),
        Preset(_("Last period"), last.start, last.end - DAY),
        *(
            Preset(_("%(days)d days") % {"days": days}, today - timedelta(days=days - 1), today)
            for days in (7, 30, 90)
        ),
        Preset(_("This year"), today.replace(month=1, day=1), today),
    ]
    if chosen and chosen.start < period.start:
        before = period_with(kind, chosen.start - DAY)
        if before.closes_at > tenant.created_at:
            found.append(Preset(_("The period before"), before.start, before.end - DAY))
    if chosen and chosen.start < last.start:
        after = period_with(kind, chosen.end)
        found.append(Preset(_("The period after"), after.start, after.end - DAY))
    return found


def _asked(request: TenantRequest, now: datetime) -> tuple[UsageRangeForm, dict[str, Any] | None]:
    """Return the bound form and its data; the current period where nothing was asked for."""
    tenant = request.member.tenant
    today = now.astimezone(UTC).date()
    first = selectors.current_period(tenant=tenant, now=now).start
    first = min(first, today - (LEAST_DAYS - 1) * DAY)
    asked = {name: request.GET.get(name, "") for name in ("start", "end", "key")}
    meter = request.GET.get("meter") or Meter.REQUESTS
    data = {**asked, "start": asked["start"] or first, "end": asked["end"] or today, "meter": meter}
    form = UsageRangeForm(data, tenant=tenant)
    return form, form.cleaned_data if form.is_valid() else None


@dataclass(frozen=True)
class _Row(DayRow):
    """A day beside the one that it is compared with, where there is such a day."""

    before: DayRow | None


def _rows(days: list[DayRow], before: Before | None) -> list[_Row]:
    beside = before.rows[: len(days)] if before else []
    return [_Row(**vars(row), before=other) for row, other in zip_longest(days, beside)]


def _read(
    tenant: Tenant, chosen: dict[str, Any], now: datetime
) -> tuple[list[DayRow], Before | None]:
    asked = {"start": chosen["start"], "end": chosen["end"], "api_key": chosen["key"], "now": now}
    days = selectors.usage_days(tenant=tenant, **asked)
    return days, usage_before(tenant=tenant, **asked)


def _comparison(days: list[DayRow], before: Before, meter: str) -> dict[str, Any]:
    """Return by how many percent a range differs from the days before; None against none."""
    name = "conversions" if meter == Meter.CONVERSIONS else "used"
    total = sum(getattr(row, name) for row in days)
    earlier = sum(getattr(row, name) for row in before.rows)
    percent = round((total - earlier) * 100 / earlier) if earlier else None
    told = {"percent": percent, "change": abs(percent or 0)}
    return {"start": before.start, "end": before.end, "total": earlier, **told}


def _is_of_all(chosen: dict[str, Any]) -> bool:
    """Say whether all keys' requests were asked for: what has quotas, and keys to compare."""
    return chosen["key"] is None and chosen["meter"] == Meter.REQUESTS


def _by_key(tenant: Tenant, chosen: dict[str, Any], days: list[DayRow]) -> list[KeySeries]:
    """Return the keys beside each other."""
    if not _is_of_all(chosen):
        return []
    usages = selectors.usage_by_key(tenant=tenant, start=chosen["start"], end=chosen["end"])
    return key_series(usages, days=[row.day for row in days])


def _live_comparisons(tenant: Tenant, chosen: dict[str, Any]) -> list[LiveComparison]:
    """Return what was counted live beside what is billed: requests, of whole tenants only."""
    if not _is_of_all(chosen):
        return []
    return selectors.live_comparisons(tenant=tenant, start=chosen["start"], end=chosen["end"])


def _period(tenant: Tenant, chosen: dict[str, Any], now: datetime) -> Period | None:
    """Return the quota period that a range is: all of one that is over, or the current so far."""
    today = now.astimezone(UTC).date()
    period = period_with(tenant.usage_plan.quota_period, chosen["start"])
    last = min(today, period.end - DAY)
    return period if (chosen["start"], chosen["end"]) == (period.start, last) else None


def _quota(
    chosen: dict[str, Any],
    period: Period | None,
    days: list[DayRow],
    *,
    tenant: Tenant,
    usage: UsageNow,
    now: datetime,
) -> dict[str, Any]:
    """Return the chart of a period's quota; or that no record is left of what it was.

    `is_over` says that it is a period before the current one.
    """
    if period is None or not _is_of_all(chosen):
        return {"quota": None}
    if any(row.period != period for row in days):
        return {"quota": None, "quota_unknown": True}
    if period.end <= now.astimezone(UTC).date():
        return {"quota": quota_chart(period=period, rows=days), "is_over": True}
    known = selectors.usage_days(
        tenant=tenant, start=pace_days(usage=usage, now=now), end=chosen["end"], now=now
    )
    ahead = outlook(usage=usage, rows=known, now=now)
    return {"quota": quota_chart(period=period, rows=days, expected=ahead.expected)}


def _links(
    request: TenantRequest, chosen: dict[str, Any] | None, period: Period | None, now: datetime
) -> list[dict[str, Any]]:
    """Return the presets with their addresses; what else is chosen stays."""
    range_now = chosen and (chosen["start"], chosen["end"])
    kept = {name: request.GET[name] for name in ("meter", "key") if request.GET.get(name)}
    return [
        {
            "label": each.label,
            "query": urlencode({"start": each.start, "end": each.end, **kept}),
            "is_chosen": range_now == (each.start, each.end),
        }
        for each in presets(tenant=request.member.tenant, now=now, chosen=period)
    ]


@require_safe
@tenant_required
def usage(request: TenantRequest) -> HttpResponse:
    """Any range of days: requests, for all keys or one, or conversions."""
    tenant = request.member.tenant
    now = timezone.now()
    form, chosen = _asked(request, now)
    stands = selectors.usage_now(tenant=tenant, now=now)
    period = _period(tenant, chosen, now) if chosen else None
    context: dict[str, Any] = {"rows": [], "chart": daily_chart([])}
    if chosen is not None:
        days, before = _read(tenant, chosen, now)
        of_conversions = chosen["meter"] == Meter.CONVERSIONS
        beside = before.rows if before else []
        keys = _by_key(tenant, chosen, days)
        context = {
            "of_conversions": of_conversions,
            "rows": _rows(days, before)[::-1],
            "is_limited": any(row.limit is not None for row in days),
            "before": before and _comparison(days, before, chosen["meter"]),
            "chart": daily_chart(days, before=beside, keys=keys, of_conversions=of_conversions),
            "keys": keys,
            "key_rows": [
                (row, [each.used[at] for each in keys]) for at, row in enumerate(days) if keys
            ][::-1],
            **_quota(chosen, period, days, tenant=tenant, usage=stands, now=now),
            "comparisons": _live_comparisons(tenant, chosen),
        }
    totals = {
        "used": sum(row.used for row in context["rows"]),
        "conversions": sum(row.conversions for row in context["rows"]),
        "days": len(context["rows"]),
    }
    return render(
        request,
        "portal/usage.html",
        {
            "nav": "usage",
            "form": form,
            "presets": _links(request, chosen, period, now),
            "totals": totals,
            "synced_at": stands.synced_at,
            "has_called": stands.first_day is not None,
            "query": request.GET.urlencode(),
            **context,
            **live_context(tenant),
        },
        # htmx shows what is wrong only where the answer is not called an error.
        status=200 if chosen or request.htmx else 400,  # type: ignore[attr-defined]
    )


def _told(rows: list[_Row], meter: str) -> Iterator[list[Any]]:
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
    form, chosen = _asked(request, now)
    if chosen is None:
        return HttpResponse(form.errors.as_text(), status=400, content_type="text/plain")
    rows = _told(_rows(*_read(tenant, chosen, now)), chosen["meter"])
    return _csv("usage", chosen, table(_COLUMNS, rows))


@require_safe
@tenant_required
def usage_by_key_csv(request: TenantRequest) -> HttpResponse:
    """Requests by day and key as CSV, days in UTC: a row for each day on which a key was used."""
    form, chosen = _asked(request, timezone.now())
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
    path("usage/", usage, name="usage"),
    path("usage.csv", usage_csv, name="usage-csv"),
    path("usage-by-key.csv", usage_by_key_csv, name="usage-by-key-csv"),
]
