"""What the usage charts draw: plain figures for the browser, dates in the reader's language."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from django.utils import formats

from tenants.models import QuotaPeriod, Tenant
from tenants.selectors import DayRow, UsageNow
from tenants.selectors.pace import Outlook

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
    *, tenant: Tenant, usage: UsageNow, outlook: Outlook, rows: Sequence[DayRow]
) -> dict[str, Any] | None:
    """Return how the current period's usage climbs towards its limit; None where neither is seen.

    `rows` are those of the period so far. From the last of them the limit stays, and the projection
    goes on at the pace of the last days. `raises` are the days on which the limit rose, and by how
    much.
    """
    if usage.unlimited or tenant.usage_plan.quota_period == QuotaPeriod.DAY or not rows:
        return None
    left = (usage.period_end - rows[-1].day).days
    days = [row.day for row in rows] + [rows[-1].day + DAY * ahead for ahead in range(1, left + 1)]
    limits = [row.limit or 0 for row in rows] + [rows[-1].limit or 0] * left
    projection: list[int | None] = []
    if outlook.expected is not None:
        rise = (outlook.expected - usage.used_period) / (left or 1)
        projection = [None] * (len(rows) - 1)
        projection += [usage.used_period + round(rise * ahead) for ahead in range(left + 1)]
    return {
        "labels": [_label(day) for day in days],
        "so_far": [row.so_far for row in rows],
        "limit": limits,
        "projection": projection,
        "raises": [
            {"day": day, "requests": limit - before}
            for day, (before, limit) in zip(days[1:], pairwise(limits), strict=True)
            if limit > before
        ],
    }
