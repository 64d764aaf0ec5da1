"""For how long a tenant's requests last at the pace of the last days.

The pace is what was used in the last seven complete UTC days and today so far, by the time that
they took. The day of the first call ever is not complete, so it and all before it are left out: a
quiet start slows nothing down. So are days on which nothing was left to use, of this quota period
and the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from tenants.selectors.usage import DayRow, UsageNow

DAYS = 7
DAY = timedelta(days=1)


class Lasting(StrEnum):
    """How what is left stands to the period's end."""

    EARLY = "early"  # no complete day since the first call: no pace to tell
    UNLIMITED = "unlimited"
    USED_UP = "used_up"
    LASTS = "lasts"
    SHORT = "short"


@dataclass(frozen=True)
class Outlook:
    """What is to come of the period. `per_day` is in requests, None where it is too early to tell.

    `runs_out_at` is told where that is before the period ends, `expected` is what the period's
    usage comes to, limit or none.
    """

    lasting: Lasting
    per_day: float | None
    runs_out_at: datetime | None
    expected: int | None


def pace_days(*, usage: UsageNow, now: datetime) -> date:
    """Return the first UTC day whose row `outlook` asks for: the day before those of the pace."""
    return _as_of(usage, now).date() - (DAYS + 1) * DAY


def outlook(*, usage: UsageNow, rows: Sequence[DayRow], now: datetime) -> Outlook:
    """Return for how long what `usage_now` says is left will last, by the rows from `pace_days` on.

    Reckoned from when usage was read, not from `now`: calls that nobody has counted yet are not
    calls that nobody made. Where that was in the period before, from this one's beginning.
    """
    as_of = _as_of(usage, now)
    since = max(as_of, datetime.combine(usage.period_start, time(), tzinfo=UTC))
    pace = _pace(usage, rows, as_of)
    expected = runs_out_at = None
    if pace is not None:
        expected = usage.used_period + round(pace * ((usage.resets_at - since) / DAY))
        if pace > 0 and not usage.unlimited and expected > usage.limit:
            runs_out_at = since + usage.remaining / pace * DAY
    if usage.unlimited:
        lasting = Lasting.UNLIMITED
    elif usage.remaining == 0:
        lasting, runs_out_at = Lasting.USED_UP, None
    elif pace is None:
        lasting = Lasting.EARLY
    else:
        lasting = Lasting.SHORT if runs_out_at else Lasting.LASTS
    return Outlook(lasting, pace, runs_out_at, expected)


def _as_of(usage: UsageNow, now: datetime) -> datetime:
    return min(usage.synced_at or now, now).astimezone(UTC)


def _pace(usage: UsageNow, rows: Sequence[DayRow], as_of: datetime) -> float | None:
    """Return the requests a day of the last days; None without a complete one."""
    today, first = as_of.date(), usage.first_day
    if first is None or first >= today - DAY:
        return None
    since = max(first, today - (DAYS + 1) * DAY)
    before, *days = (row for row in rows if since <= row.day <= today)
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    used, took = 0, timedelta()
    for row in days:
        is_shut = before.remaining == 0 and row.remaining == 0 and not row.used
        before = row
        if is_shut:
            continue
        used += row.used
        took += DAY if row.day < today else as_of - midnight
    return used / (took / DAY) if took >= DAY else None
