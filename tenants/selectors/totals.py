"""What billing reads of many tenants at once. A query each, however many they are."""

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import NamedTuple

from django.db.models import Sum

from tenants.ids import Ids
from tenants.models import ApiKeyVersion, Entitlement, GatewayPlan, KeySlot, Meter, Tenant, UsageDay
from tenants.periods import Period, period_of


class UsageSum(NamedTuple):
    """A tenant's total of a meter under one gateway plan; None: what the gateway does not count."""

    tenant_id: int
    meter: str
    gateway_plan_id: int | None
    used: int


def usage_sums(
    *, tenants: Collection[int], meters: Collection[Meter], start: date, end: date
) -> list[UsageSum]:
    """Return the totals of the UTC days from `start` up to, and without, `end`.

    `tenants` are primary keys. Those that used nothing are left out.
    """
    days = UsageDay.objects.filter(
        tenant__in=Ids(tenants), meter__in=meters, day__gte=start, day__lt=end
    )
    by = days.order_by().values_list("tenant_id", "meter", "gateway_plan_id")
    return [UsageSum(*row) for row in by.annotate(Sum("used"))]


class DaySum(NamedTuple):
    """A UTC day's total of a meter under one gateway plan, as in UsageSum."""

    day: date
    meter: str
    gateway_plan_id: int | None
    used: int


def usage_day_sums(
    *, tenant_id: int, meters: Collection[Meter], start: date, end: date
) -> list[DaySum]:
    """Return one tenant's totals of each UTC day from `start` up to, and without, `end`."""
    days = UsageDay.objects.filter(tenant=tenant_id, meter__in=meters, day__gte=start, day__lt=end)
    by = days.order_by().values_list("day", "meter", "gateway_plan_id")
    return [DaySum(*row) for row in by.annotate(Sum("used"))]


def usage_read_at(
    *, tenants: Collection[Tenant], used_under: dict[int, set[int]]
) -> dict[int, datetime]:
    """Return since when the gateway's answers hold all that is told of each tenant, by its id.

    That is the oldest reading of the gateway plans that its keys are in, and of those in
    `used_under`, by the tenant's id; of its plan's first where it has neither. A tenant of whom
    some plan was never read is left out.
    """
    mirrors = {mirror.pk: mirror for mirror in GatewayPlan.objects.all()}
    primary = {
        mirror.usage_plan_id: mirror.pk
        for mirror in mirrors.values()
        if mirror.slot == KeySlot.PRIMARY
    }
    concerned: dict[int, set[int]] = defaultdict(set)
    keys = ApiKeyVersion.objects.filter(
        api_key__tenant__in=Ids(tenant.pk for tenant in tenants), gateway_plan__isnull=False
    )
    for tenant_id, mirror_id in keys.order_by().values_list("api_key__tenant", "gateway_plan"):
        concerned[tenant_id].add(mirror_id)
    found = {}
    for tenant in tenants:
        ids = concerned[tenant.pk] | used_under.get(tenant.pk, set())
        if not ids and tenant.usage_plan_id in primary:
            ids = {primary[tenant.usage_plan_id]}
        times = [mirrors[pk].read_at for pk in ids]
        if times and None not in times:
            found[tenant.pk] = min(filter(None, times))
    return found


def caps_written(*, tenants: Collection[Tenant], now: datetime) -> dict[int, int | None]:
    """Return the caps of the tenants' current periods, by their ids; None: there is no cap.

    Tenants whose period has no entitlement yet are left out. Needs their `usage_plan`.
    """
    periods = {tenant.pk: period_of(tenant.usage_plan.quota_period, now) for tenant in tenants}
    today = now.astimezone(UTC).date()
    rows = Entitlement.objects.filter(
        tenant__in=tenants, period_start__lte=today, period_end__gt=today
    )
    by = rows.values_list("tenant_id", "period_start", "period_end", "cap_requests")
    return {
        tenant_id: cap
        for tenant_id, start, end, cap in by
        if periods[tenant_id] == Period(start, end)
    }
