"""What the usage charts draw: plain figures for the browser, dates in the reader's language."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import pairwise
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _

from tenants.models import ApiKey
from tenants.periods import Period
from tenants.selectors import DayRow, DayUsed, KeyUsage

DAY = timedelta(days=1)
MOST_KEYS = 7  # that one can tell apart in a chart; the last is then of all others


def _label(day: date) -> str:
    return formats.date_format(day, "MONTH_DAY_FORMAT")


@dataclass(frozen=True)
class KeySeries:
    """What a key was used on each day of a chart, in requests, and the colour of its bars."""

    label: str
    colour: str
    used: list[int]

    @property
    def total(self) -> int:
        return sum(self.used)


def key_series(usages: Sequence[KeyUsage], *, days: Sequence[date]) -> list[KeySeries]:
    """Return the bars by key, the most used first; none where there are not several keys.

    All that are more than one can tell apart are the last of them, together.
    """
    if len(usages) < 2:
        return []
    named = usages if len(usages) <= MOST_KEYS else usages[: MOST_KEYS - 1]
    bars = [(_key_label(each.api_key), [each]) for each in named]
    if others := usages[len(named) :]:
        bars.append((_("Other keys"), list(others)))
    return [
        KeySeries(
            label=label,
            colour=f"key-{number}",
            used=[sum(each.by_day.get(day, 0) for each in of) for day in days],
        )
        for number, (label, of) in enumerate(bars, start=1)
    ]


def _key_label(api_key: ApiKey) -> str:
    """Return a key's name; of a revoked one with the day, since another may have its name now."""
    if api_key.revoked_at is None:
        return api_key.name
    day = formats.date_format(api_key.revoked_at.astimezone(UTC).date(), "DATE_FORMAT")
    return _("%(name)s (revoked %(day)s)") % {"name": api_key.name, "day": day}


def daily_chart(
    rows: Sequence[DayRow],
    *,
    before: Sequence[DayUsed] = (),
    keys: Sequence[KeySeries] = (),
    of_conversions: bool = False,
) -> dict[str, Any]:
    """Return each day's usage, by key where that is told, and that of the day to compare with."""
    name = "conversions" if of_conversions else "used"
    return {
        "labels": [_label(row.day) for row in rows],
        "used": [getattr(row, name) for row in rows],
        "keys": [vars(each) for each in keys],
        "before": [getattr(row, name) for row in before[: len(rows)]],
        "before_labels": [_label(row.day) for row in before[: len(rows)]],
    }


def quota_chart(
    *, period: Period, rows: Sequence[DayRow], expected: int | None = None
) -> dict[str, Any] | None:
    """Return how a period's usage climbs towards its limit; None where neither is seen.

    `rows` are those of the period, or of the period so far. From the last of them the limit stays,
    and the projection goes on to what is `expected` in the end. `raises` are the days on which the
    limit rose, and by how much.
    """
    if period.days == 1 or not rows or any(row.limit is None for row in rows):
        return None
    left = (period.end - rows[-1].day).days - 1
    days = [row.day for row in rows] + [rows[-1].day + DAY * ahead for ahead in range(1, left + 1)]
    limits = [row.limit or 0 for row in rows] + [rows[-1].limit or 0] * left
    projection: list[int | None] = []
    if expected is not None:
        used = rows[-1].so_far or 0
        rise = (expected - used) / (left or 1)
        projection = [None] * (len(rows) - 1)
        projection += [used + round(rise * ahead) for ahead in range(left + 1)]
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
