"""The usage page: any range of days, and what came before it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.views.access import TenantRequest, tenant_required
from portal.views.charts import KeySeries, daily_chart, key_series, quota_chart
from portal.views.live import live_context
from portal.views.usage_ranges import asked, days_before, period_shown, preset_links
from tenants import selectors
from tenants.models import Meter, Tenant
from tenants.periods import Period
from tenants.selectors import DayRow, UsageNow
from tenants.selectors.comparison import Before, rows_beside
from tenants.selectors.live_pages import LiveComparison
from tenants.selectors.pace import outlook, pace_days

DAY = timedelta(days=1)


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


def _days_known(
    tenant: Tenant,
    chosen: dict[str, Any],
    period: Period | None,
    *,
    usage: UsageNow,
    now: datetime,
) -> list[DayRow]:
    """Return the days that were asked for; of the current period with those of its pace before."""
    start = chosen["start"]
    if period is not None and not _is_over(period, now):
        start = min(start, pace_days(usage=usage, now=now))
    return selectors.usage_days(
        tenant=tenant, start=start, end=chosen["end"], api_key=chosen["key"], now=now
    )


def _quota(
    chosen: dict[str, Any],
    period: Period | None,
    known: list[DayRow],
    *,
    usage: UsageNow,
    now: datetime,
) -> dict[str, Any]:
    """Return the chart of a period's quota; or that no record is left of what it was.

    `is_over` says that it is a period before the current one.
    """
    if period is None or period.days == 1 or not _is_of_all(chosen):
        return {"quota": None}
    days = [row for row in known if row.day >= period.start]
    if any(row.period != period for row in days):
        return {"quota": None, "quota_unknown": True}
    if _is_over(period, now):
        return {"quota": quota_chart(period=period, rows=days), "is_over": True}
    ahead = outlook(usage=usage, rows=known, now=now)
    return {"quota": quota_chart(period=period, rows=days, expected=ahead.expected)}


def _is_over(period: Period, now: datetime) -> bool:
    return period.end <= now.astimezone(UTC).date()


@require_safe
@tenant_required
def usage(request: TenantRequest) -> HttpResponse:
    """Any range of days: requests, for all keys or one, or conversions."""
    tenant = request.member.tenant
    now = timezone.now()
    form, chosen = asked(request, now)
    stands = selectors.usage_now(tenant=tenant, now=now)
    period = period_shown(tenant, chosen, now) if chosen else None
    context: dict[str, Any] = {"rows": [], "chart": daily_chart([])}
    if chosen is not None:
        known = _days_known(tenant, chosen, period, usage=stands, now=now)
        days = [row for row in known if row.day >= chosen["start"]]
        before = days_before(tenant, chosen)
        of_conversions = chosen["meter"] == Meter.CONVERSIONS
        beside = before.rows if before else []
        keys = _by_key(tenant, chosen, days)
        context = {
            "of_conversions": of_conversions,
            "rows": rows_beside(days, before)[::-1],
            "is_limited": any(row.limit is not None for row in days),
            "before": before and _comparison(days, before, chosen["meter"]),
            "chart": daily_chart(days, before=beside, keys=keys, of_conversions=of_conversions),
            "keys": keys,
            "key_rows": [
                (row, [each.used[at] for each in keys]) for at, row in enumerate(days) if keys
            ][::-1],
            **_quota(chosen, period, known, usage=stands, now=now),
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
            "presets": preset_links(request, chosen, period, now),
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


urlpatterns = [
    path("usage/", usage, name="usage"),
]
