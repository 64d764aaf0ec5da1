"""What tenants may use in their current quota periods, and what they have used of it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import QuerySet, Sum

from tenants.entitlements import plan_requests
from tenants.models import Entitlement, Meter, PlanSpan, Tenant, UsageDay
from tenants.periods import Period, period_of


def current_period(*, tenant: Tenant, now: datetime) -> Period:
    """Return the quota period of the tenant's plan that `now` is in."""
    return period_of(tenant.usage_plan.quota_period, now)


def current_entitlement(*, tenant: Tenant, now: datetime) -> Entitlement:
    """Return the entitlement of the current period.

    One that is computed, and not stored, where no worker has opened the period yet.
    """
    period = period_of(tenant.usage_plan.quota_period, now)
    days = {"period_start": period.start, "period_end": period.end}
    stored = Entitlement.objects.filter(tenant=tenant, **days).first()
    if stored is not None:
        return stored
    spans = PlanSpan.objects.filter(tenant=tenant).select_related("usage_plan")
    requests = plan_requests(spans=list(spans), period=period)
    return Entitlement(tenant=tenant, **days, plan_requests=requests)


@dataclass(frozen=True)
class Quota:
    """What a tenant may use in the current period of UTC days, both included; None: no limit."""

    limit: int | None
    period_start: date
    period_end: date


def quotas(*, tenants: QuerySet[Tenant], now: datetime) -> dict[int, Quota]:
    """Return each tenant's quota by its id, in one query, or two at a period's start.

    Needs their `usage_plan`. Computed where no worker has opened the period yet, as for one tenant
    in `current_entitlement`.
    """
    periods = {each.pk: period_of(each.usage_plan.quota_period, now) for each in tenants}
    today = now.astimezone(UTC).date()
    current = Entitlement.objects.filter(
        tenant__in=tenants, period_start__lte=today, period_end__gt=today
    )
    requests = {
        each.tenant_id: each.requests
        for each in current
        if Period(each.period_start, each.period_end) == periods.get(each.tenant_id)
    }
    spans: dict[int, list[PlanSpan]] = defaultdict(list)
    if any(not each.usage_plan.is_unlimited and each.pk not in requests for each in tenants):
        for span in PlanSpan.objects.filter(tenant__in=tenants).select_related("usage_plan"):
            spans[span.tenant_id].append(span)
    found = {}
    for tenant in tenants:
        period = periods[tenant.pk]
        if tenant.usage_plan.is_unlimited:
            limit = None
        elif tenant.pk in requests:
            limit = requests[tenant.pk]
        else:
            limit = plan_requests(spans=spans[tenant.pk], period=period)
        found[tenant.pk] = Quota(limit, period.start, period.end - timedelta(days=1))
    return found


def usage_in_period(*, tenants: QuerySet[Tenant], now: datetime) -> dict[int, int]:
    """Return what each tenant has used of its current period, in a query per kind of period.

    Needs their `usage_plan`.
    """
    by_period: dict[Period, list[int]] = defaultdict(list)
    for tenant in tenants:
        by_period[period_of(tenant.usage_plan.quota_period, now)].append(tenant.pk)
    used: dict[int, int] = {}
    for period, ids in by_period.items():
        days = UsageDay.objects.filter(
            tenant__in=ids, meter=Meter.REQUESTS, day__gte=period.start, day__lt=period.end
        )
        used |= dict(days.order_by().values_list("tenant").annotate(total=Sum("used")))
    return used
