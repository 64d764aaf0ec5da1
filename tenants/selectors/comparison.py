"""The days before a range of days, and what was used on them."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import zip_longest

from tenants.models import ApiKey, Tenant
from tenants.periods import period_with
from tenants.selectors.usage import DayRow, DayUsed, days_used

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Before:
    """UTC days that come before a range, both included: a row for each, oldest first.

    They begin as the range does. It may have more days than they are: months differ.
    """

    start: date
    end: date
    rows: list[DayUsed]


def days_before(*, start: date, end: date, kind: str) -> tuple[date, date]:
    """Return the first and the last day to compare a range with.

    A range that begins with a quota period of this kind and stays within it is compared with the
    first days of the period before, any other with as many days just before it.
    """
    period = period_with(kind, start)
    if start != period.start or end >= period.end:
        return start - (end - start) - DAY, start - DAY
    last = start - DAY
    earlier = period_with(kind, last)
    return earlier.start, min(earlier.start + (end - start), last)


def usage_before(
    *, tenant: Tenant, start: date, end: date, api_key: ApiKey | None
) -> Before | None:
    """Return what was used before a range; None where the tenant, or the key, began later.

    Nothing used is a figure to compare with; not to have been there is none.
    """
    first, last = days_before(start=start, end=end, kind=tenant.usage_plan.quota_period)
    since = api_key.created_at if api_key else tenant.created_at
    if since.astimezone(UTC).date() > first:
        return None
    rows = days_used(tenant=tenant, start=first, end=last, api_key=api_key)
    return Before(first, last, rows)


@dataclass(frozen=True)
class BesideRow(DayRow):
    """A day beside the one that it is compared with, where there is such a day."""

    before: DayUsed | None


def rows_beside(days: list[DayRow], before: Before | None) -> list[BesideRow]:
    """Return the days of a range, each beside its own of the days before."""
    beside = before.rows[: len(days)] if before else []
    return [BesideRow(**vars(row), before=other) for row, other in zip_longest(days, beside)]
