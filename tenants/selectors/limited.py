"""What a period's plans gave that have a limit: what is used beyond it is used of the grants."""

from collections.abc import Iterable

from django.db.models import Q, Sum

from tenants.entitlements import plan_requests
from tenants.models import Entitlement, Meter, PlanSpan, UsageDay
from tenants.periods import Period, period_of


def limited_requests(*, entitlement: Entitlement) -> int:
    """Return what the limited plans gave for a period, and what was paid by use on top.

    While an unlimited plan is open the entitlement has no end, and no grant of an earlier plan
    would ever count as used; nor would it in a period that such a plan outlasted.
    """
    period = Period(entitlement.period_start, entitlement.period_end)
    held = PlanSpan.objects.filter(
        Q(ends_on=None) | Q(ends_on__gte=period.start),
        tenant=entitlement.tenant_id,
        starts_on__lt=period.end,
    ).select_related("usage_plan")
    spans = [
        span for span in held if period_of(span.usage_plan.quota_period, period.opens_at) == period
    ]
    unlimited = [span for span in spans if span.usage_plan.is_unlimited]
    if not unlimited:
        return entitlement.plan_requests
    return plan_requests(
        spans=[span for span in spans if not span.usage_plan.is_unlimited],
        period=period,
        paid_by_use=paid_by_use(spans=unlimited, period=period),
    )


def paid_by_use(*, spans: Iterable[PlanSpan], period: Period) -> int:
    """Return what a tenant used in a period on the days of these, unlimited plans.

    The day of a change is the new plan's.
    """
    days = Q()
    for span in spans:
        end = min(span.ends_on or period.end, period.end)
        days |= Q(tenant=span.tenant_id, day__gte=max(span.starts_on, period.start), day__lt=end)
    if not days:
        return 0
    used = UsageDay.objects.filter(days, meter=Meter.REQUESTS)
    return used.aggregate(total=Sum("used"))["total"] or 0
