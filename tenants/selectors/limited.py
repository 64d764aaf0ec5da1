"""What a period's plans gave that have a limit: what is used beyond it is used of the grants."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, Sum

from tenants.entitlements import plan_requests
from tenants.models import Entitlement, Meter, PlanSpan, Tenant, UsageDay, UsagePlan
from tenants.periods import Period, period_of, period_with


def limited_requests(*, entitlement: Entitlement) -> int:
    """Return what the limited plans gave for a period, and what was paid by use on top.

    While an unlimited plan is open the entitlement has no end, and no grant of an earlier plan
    would ever count as used; nor would it in a period that such a plan outlasted. What was used
    under a plan that counts by other periods is that plan's.
    """
    period = Period(entitlement.period_start, entitlement.period_end)
    held = PlanSpan.objects.filter(
        Q(ends_on=None) | Q(ends_on__gte=period.start),
        tenant=entitlement.tenant_id,
        starts_on__lt=period.end,
    ).select_related("usage_plan")
    limited: list[PlanSpan] = []
    others: list[PlanSpan] = []
    for span in held:
        counts = period_with(span.usage_plan.quota_period, period.start) == period
        (limited if counts and not span.usage_plan.is_unlimited else others).append(span)
    if not others:
        return entitlement.plan_requests
    return plan_requests(
        spans=limited, period=period, paid_by_use=paid_by_use(spans=others, period=period)
    )


@dataclass(frozen=True)
class QuotaUnder:
    """What a tenant could use in the current period under another plan, and has used."""

    limit: int
    used: int


def quota_under(*, tenant: Tenant, usage_plan: UsagePlan, now: datetime) -> QuotaUnder:
    """Return what a tenant could use in the current period if it changed to a plan today."""
    today = now.astimezone(UTC).date()
    period = period_of(usage_plan.quota_period, now)
    spans = [
        span
        for span in PlanSpan.objects.filter(tenant=tenant).select_related("usage_plan")
        if span.usage_plan.quota_period == usage_plan.quota_period
    ]
    for span in spans:
        span.ends_on = span.ends_on or today
    left = [span for span in spans if span.usage_plan.is_unlimited]
    spans.append(PlanSpan(tenant=tenant, usage_plan=usage_plan, starts_on=today))
    plans = plan_requests(
        spans=spans, period=period, paid_by_use=paid_by_use(spans=left, period=period)
    )
    now_on = Entitlement.objects.filter(
        tenant=tenant, period_start=period.start, period_end=period.end
    ).first()
    used = UsageDay.objects.filter(
        tenant=tenant, meter=Meter.REQUESTS, day__gte=period.start, day__lt=period.end
    )
    return QuotaUnder(
        limit=plans + (now_on.granted_requests if now_on else 0),
        used=used.aggregate(total=Sum("used"))["total"] or 0,
    )


def paid_by_use(*, spans: Iterable[PlanSpan], period: Period) -> int:
    """Return what a tenant used in a period under these plans.

    Of the day of a change that is what was counted under the plan in the gateway.
    """
    days = Q()
    for span in spans:
        mine = Q(tenant=span.tenant_id)
        shared = {span.starts_on, span.ends_on or span.starts_on}
        days |= mine & Q(day__gt=span.starts_on, day__lt=span.ends_on or period.end)
        days |= mine & Q(day__in=shared, gateway_plan__usage_plan=span.usage_plan_id)
    if not days:
        return 0
    used = UsageDay.objects.filter(
        days, meter=Meter.REQUESTS, day__gte=period.start, day__lt=period.end
    )
    return used.aggregate(total=Sum("used"))["total"] or 0
