"""What the usage charts draw: plain figures for the browser, dates in the reader's language."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import formats

from tenants import selectors
from tenants.models import QuotaPeriod, Tenant
from tenants.selectors import DayRow, UsageNow
from tenants.selectors.pace import Outlook
from tenants.selectors.usage import limits_by_day

DAY = timedelta(days=1)


def _label(day: date) -> str:
    return formats.date_format(day, "MONTH_DAY_FORMAT")


def daily_chart(
    rows: Sequence[DayRow], *, before: Sequence[DayRow] = (), of_conversions: bool = False
) -> dict[str, Any]:
    """Return each day's usage, and beside it that of the day that it is compared with."""
    name = "conversions" if of_conversions else "used"
    return {
        "labels": [_label(row.day) for row in rows],
        "used": [getattr(row, name) for row in rows],
        "before": [getattr(row, name) for row in before[: len(rows)]],
        "before_labels": [_label(row.day) for row in before[: len(rows)]],
    }


def quota_chart(
    *, tenant: Tenant, usage: UsageNow, outlook: Outlook, rows: Sequence[DayRow], now: datetime
) -> dict[str, Any] | None:
    """Return how the current period's usage climbs towards its limit; None where neither is seen.

    `rows` are those of the period so far. The projection goes on from the last of them at the
    pace of the last days. `raises` are the days on which the limit rose, and by how much.
    """
    if usage.unlimited or tenant.usage_plan.quota_period == QuotaPeriod.DAY or not rows:
        return None
    limits = limits_by_day(
        tenant=tenant, period=selectors.current_period(tenant=tenant, now=now), now=now
    )
    days = list(limits)
    projection: list[int | None] = []
    if outlook.expected is not None:
        left = len(days) - len(rows)
        rise = (outlook.expected - usage.used_period) / (left or 1)
        projection = [None] * (len(rows) - 1)
        projection += [usage.used_period + round(rise * ahead) for ahead in range(left + 1)]
    return {
        "labels": [_label(day) for day in days],
        "so_far": [row.so_far for row in rows],
        "limit": list(limits.values()),
        "projection": projection,
        "raises": [
            {"day": day, "requests": limits[day] - limits[day - DAY]}
            for day in days[1:]
            if limits[day] > limits[day - DAY]
        ],
    }
