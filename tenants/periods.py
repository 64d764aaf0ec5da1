"""Quota periods: UTC calendar days, weeks and months, as the gateway's are.

Weeks start on Sunday (inferred from field reports; AWS does not say).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from tenants.models import QuotaPeriod


@dataclass(frozen=True)
class Period:
    """UTC days from `start` up to, and without, `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def opens_at(self) -> datetime:
        return datetime.combine(self.start, time(), tzinfo=UTC)

    @property
    def closes_at(self) -> datetime:
        return datetime.combine(self.end, time(), tzinfo=UTC)


def period_of(kind: str, now: datetime) -> Period:
    """Return the period of this kind (a QuotaPeriod) in which `now` falls."""
    return period_with(kind, now.astimezone(UTC).date())


def period_with(kind: str, day: date) -> Period:
    """Return the period of this kind (a QuotaPeriod) that has this UTC day."""
    if kind == QuotaPeriod.DAY:
        return Period(day, day + timedelta(days=1))
    if kind == QuotaPeriod.WEEK:
        start = day - timedelta(days=day.isoweekday() % 7)
        return Period(start, start + timedelta(days=7))
    start = day.replace(day=1)
    return Period(start, (start + timedelta(days=31)).replace(day=1))


def is_quiet(period: Period, now: datetime, *, margin: timedelta) -> bool:
    """Say whether `now` is so near the period's edges that no lease may be written.

    A write that crosses the reset would set the new period's counter.
    """
    return now - period.opens_at < margin or period.closes_at - now < margin
