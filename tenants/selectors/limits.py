"""What a tenant could use by each UTC day of its quota periods, as far as it is on record.

Of a period that is over there is only what was written down while it ran: plans are changed since.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tenants.entitlements import plan_requests
from tenants.models import Entitlement, PlanSpan, QuotaGrant, Tenant
from tenants.periods import Period, period_of, period_with

DAY = timedelta(days=1)


@dataclass(frozen=True)
class DayLimit:
    """What could be used of a period by the end of one of its days, in requests; None: no limit."""

    period: Period
    requests: int | None


def limits_by_day(*, tenant: Tenant, start: date, end: date, now: datetime) -> dict[date, DayLimit]:
    """Return the limits of all days of the periods that these days, both included, are of.

    Grants count from the day on which they came up to that on which they were taken back, a plan
    and a cap on all days as they stood last. Left out are days of which nothing is on record, and
    those of two periods, where a plan was left within a period for one that counts by others.
    """
    current = period_of(tenant.usage_plan.quota_period, now)
    spans = PlanSpan.objects.filter(tenant=tenant).select_related("usage_plan")  # read if needed
    stored = Entitlement.objects.filter(
        tenant=tenant, period_start__lte=end, period_end__gt=start
    ).prefetch_related("grants")
    found: dict[date, DayLimit] = {}
    twice: set[date] = set()
    now_on: Entitlement | None = None
    for entitlement in stored:
        period = Period(entitlement.period_start, entitlement.period_end)
        if period == current:
            now_on = entitlement
            continue
        was_unlimited = _was_unlimited(spans, period)
        if was_unlimited is not None:
            limits = _limits(entitlement, period, is_unlimited=was_unlimited)
            twice |= found.keys() & limits.keys()
            found |= limits
    for day in twice:
        del found[day]
    if current.start <= end and current.end > start:
        is_unlimited = tenant.usage_plan.is_unlimited
        if now_on is None:  # no worker has opened the period yet
            requests = None if is_unlimited else plan_requests(spans=list(spans), period=current)
            found |= dict.fromkeys(_days(current), DayLimit(current, requests))
        else:
            found |= _limits(now_on, current, is_unlimited=is_unlimited)
    return found


def _was_unlimited(spans: Iterable[PlanSpan], period: Period) -> bool | None:
    """Say whether the last plan that counted by a period had no limit; None where none is known."""
    held = [
        span.usage_plan.is_unlimited
        for span in spans
        if span.starts_on < period.end
        and (span.ends_on is None or span.ends_on > period.start)
        and period_with(span.usage_plan.quota_period, period.start) == period
    ]
    return held[-1] if held else None


def _limits(
    entitlement: Entitlement, period: Period, *, is_unlimited: bool
) -> dict[date, DayLimit]:
    plan, cap = entitlement.plan_requests, entitlement.cap_requests
    grants = entitlement.grants.all()
    limits = {}
    for day in _days(period):
        given = plan + sum(each.requests for each in grants if _counted(each, day))
        if cap is not None:
            limits[day] = DayLimit(period, min(given, cap))
        else:
            limits[day] = DayLimit(period, None if is_unlimited else given)
    return limits


def _counted(grant: QuotaGrant, day: date) -> bool:
    """Say whether a grant stood at a day's end."""
    is_back = grant.withdrawn_at and grant.withdrawn_at.astimezone(UTC).date() <= day
    return grant.granted_at.astimezone(UTC).date() <= day and not is_back


def _days(period: Period) -> list[date]:
    return [period.start + offset * DAY for offset in range(period.days)]
