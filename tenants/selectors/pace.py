"""For how long a tenant's requests last at the pace of the last days.

The pace is what was used in the last seven complete UTC days and today so far, by the time that
they took. The day of the first call ever is not complete, so it and all before it are left out: a
quiet start slows nothing down. So are days on which nothing was left to use, of this quota period
and the one before.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from django.db.models import Min

from tenants.models import Meter, Tenant, UsageDay
from tenants.periods import period_of
from tenants.selectors.usage import DayRow, UsageNow, usage_days

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


def first_used(*, tenant: Tenant) -> date | None:
    """Return the UTC day of the tenant's first request ever; None before it is counted."""
    used = UsageDay.objects.filter(tenant=tenant, meter=Meter.REQUESTS, used__gt=0)
    first: date | None = used.aggregate(first=Min("day"))["first"]
    return first


def outlook(*, tenant: Tenant, usage: UsageNow, now: datetime) -> Outlook:
    """Return for how long what `usage_now` says is left will last.

    Reckoned from when usage was read, not from `now`: calls that nobody has counted yet are not
    calls that nobody made.
    """
    as_of = min(usage.synced_at or now, now)
    pace = _pace(tenant, as_of)
    expected = runs_out_at = None
    if pace is not None:
        expected = usage.used_period + round(pace * ((usage.resets_at - as_of) / DAY))
        if pace > 0 and not usage.unlimited and expected > usage.limit:
            runs_out_at = as_of + usage.remaining / pace * DAY
    if usage.unlimited:
        lasting = Lasting.UNLIMITED
    elif usage.remaining == 0:
        lasting, runs_out_at = Lasting.USED_UP, None
    elif pace is None:
        lasting = Lasting.EARLY
    else:
        lasting = Lasting.SHORT if runs_out_at else Lasting.LASTS
    return Outlook(lasting, pace, runs_out_at, expected)


def _pace(tenant: Tenant, as_of: datetime) -> float | None:
    """Return the requests a day of the last days; None without a complete one."""
    today = as_of.astimezone(UTC).date()
    first = first_used(tenant=tenant)
    if first is None or first >= today - DAY:
        return None
    start = max(first + DAY, today - DAYS * DAY)
    before, *rows = _days(tenant, start - DAY, as_of)
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    used, took = 0, timedelta()
    for row in rows:
        is_shut = before.remaining == 0 and row.remaining == 0 and not row.used
        before = row
        if is_shut:
            continue
        used += row.used
        took += DAY if row.day < today else as_of - midnight
    return used / (took / DAY) if took >= DAY else None


def _days(tenant: Tenant, start: date, as_of: datetime) -> list[DayRow]:
    """Return the days up to `as_of`, with what each left: `usage_days` tells one period's."""
    period = period_of(tenant.usage_plan.quota_period, as_of)
    end = as_of.astimezone(UTC).date()
    if start >= period.start:
        return usage_days(tenant=tenant, start=start, end=end, now=as_of)
    earlier = usage_days(
        tenant=tenant, start=start, end=period.start - DAY, now=period.opens_at - DAY
    )
    return earlier + usage_days(tenant=tenant, start=period.start, end=end, now=as_of)
