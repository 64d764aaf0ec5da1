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
    and a cap on all days as they stood last. A day is of the period by which the plan counts that
    was held when it ended; left out are days of which nothing is on record.
    """
    current = period_of(tenant.usage_plan.quota_period, now)
    spans = PlanSpan.objects.filter(tenant=tenant).select_related("usage_plan")  # read if needed
    stored = Entitlement.objects.filter(
        tenant=tenant, period_start__lte=end, period_end__gt=start
    ).prefetch_related("grants")
    found: dict[date, DayLimit] = {}
    now_on: Entitlement | None = None
    for entitlement in stored:
        period = Period(entitlement.period_start, entitlement.period_end)
        if period == current:
            now_on = entitlement
            continue
        held = [
            span
            for span in spans
            if span.starts_on < period.end
            and period_with(span.usage_plan.quota_period, period.start) == period
        ]
        was_unlimited = bool(held) and held[-1].usage_plan.is_unlimited
        limits = _limits(entitlement, period, is_unlimited=was_unlimited)
        found |= {day: limit for day, limit in limits.items() if _is_held(held, day)}
    if current.start <= end and current.end > start:
        is_unlimited = tenant.usage_plan.is_unlimited
        if now_on is None:  # no worker has opened the period yet
            requests = None if is_unlimited else plan_requests(spans=list(spans), period=current)
            found |= dict.fromkeys(_days(current), DayLimit(current, requests))
        else:
            found |= _limits(now_on, current, is_unlimited=is_unlimited)
    return found


def _is_held(spans: Iterable[PlanSpan], day: date) -> bool:
    """Say whether one of these plans was held when a day ended."""
    return any(
        span.starts_on <= day and (span.ends_on is None or span.ends_on > day) for span in spans
    )


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
