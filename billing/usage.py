"""What subscriptions used in their days of a month, as it is billed. A query each for thousands.

The close, corrections, the forecast and the billing page all read it here.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count

import tenants.selectors
from billing.dues import usage_owner
from billing.models import Subscription
from tenants.ids import Ids
from tenants.models import GatewayPlan, Meter
from tenants.periods import Period


@dataclass(frozen=True)
class Used:
    """What a subscription used in its days of a month, and since when the gateway's answers hold
    all of it; None where some plan was never read.
    """

    days: Period
    by_meter: Mapping[Meter, int]
    read_at: datetime | None


def usage_read(
    days: Mapping[int, Period], subscriptions: Sequence[Subscription], meters: Collection[Meter]
) -> dict[int, Used]:
    """Return what each of these subscriptions used in its `days`, by its id. Needs their `tenant`.

    As many queries as `usage_counted`, and two.
    """
    used, used_under = _counted(days, subscriptions, meters)
    read_at = tenants.selectors.usage_read_at(
        tenants=[subscription.tenant for subscription in subscriptions], used_under=used_under
    )
    return {
        subscription.pk: Used(
            days[subscription.pk], used[subscription.pk], read_at.get(subscription.tenant_id)
        )
        for subscription in subscriptions
    }


def usage_counted(
    days: Mapping[int, Period], subscriptions: Sequence[Subscription], meters: Collection[Meter]
) -> Mapping[int, Mapping[Meter, int]]:
    """Return how much each of these subscriptions used in its `days`, by its id.

    One query for all that have the same days, which is nearly everybody, and one for all that share
    the same day with another subscription.
    """
    used, _used_under = _counted(days, subscriptions, meters)
    return used


def usage_by_day(
    subscription: Subscription, days: Period, meters: Collection[Meter]
) -> dict[date, Counter[Meter]]:
    """Return how much one subscription used on each of these days; those without are left out.

    One query, and one or two more where it began or ended on one of the days.
    """
    shared = {
        day
        for day in (subscription.starts_on, subscription.ends_on)
        if day is not None and days.start <= day < days.end
    }
    of_tenant = _of_several([subscription.tenant_id])[subscription.tenant_id] if shared else []
    usage_plans = dict(GatewayPlan.objects.values_list("pk", "usage_plan_id")) if of_tenant else {}
    found: dict[date, Counter[Meter]] = defaultdict(Counter)
    for row in tenants.selectors.usage_day_sums(
        tenant_id=subscription.tenant_id, meters=meters, start=days.start, end=days.end
    ):
        if row.day in shared and of_tenant:
            usage_plan_id = usage_plans[row.gateway_plan_id] if row.gateway_plan_id else None
            if usage_owner(row.day, usage_plan_id, of_tenant) != subscription:
                continue
        found[row.day][Meter(row.meter)] += row.used
    return found


def _counted(
    days: Mapping[int, Period], subscriptions: Sequence[Subscription], meters: Collection[Meter]
) -> tuple[dict[int, dict[Meter, int]], dict[int, set[int]]]:
    """Return the counts, and under which gateway plans they were made, by the tenant's id."""
    by_days: dict[Period, list[Subscription]] = defaultdict(list)
    for subscription in subscriptions:
        by_days[days[subscription.pk]].append(subscription)
    used: dict[int, dict[Meter, int]] = {}
    used_under: dict[int, set[int]] = defaultdict(set)
    for period, having in by_days.items():
        of_tenant: dict[int, dict[Meter, int]] = defaultdict(lambda: defaultdict(int))
        for row in tenants.selectors.usage_sums(
            tenants=[subscription.tenant_id for subscription in having],
            meters=meters,
            start=period.start,
            end=period.end,
        ):
            of_tenant[row.tenant_id][Meter(row.meter)] += row.used
            if row.gateway_plan_id is not None:
                used_under[row.tenant_id].add(row.gateway_plan_id)
        for subscription in having:
            used[subscription.pk] = dict(of_tenant.get(subscription.tenant_id, {}))
    for pk, meter, count in _of_others(days, subscriptions, meters):
        used[pk][meter] -= count
    return used, used_under


def _of_others(
    days: Mapping[int, Period], subscriptions: Sequence[Subscription], meters: Collection[Meter]
) -> list[tuple[int, Meter, int]]:
    """Return what of the days of a change is another's, by the subscription's id and the meter."""
    shared: dict[date, list[Subscription]] = defaultdict(list)
    for subscription in subscriptions:
        held = days[subscription.pk]
        for day in {subscription.starts_on, subscription.ends_on}:
            if day is not None and held.start <= day < held.end:
                shared[day].append(subscription)
    if not shared:
        return []
    of_tenant = _of_several([each.tenant_id for having in shared.values() for each in having])
    if not of_tenant:
        return []
    usage_plans = dict(GatewayPlan.objects.values_list("pk", "usage_plan_id"))
    found = []
    for day, having in shared.items():
        mine: dict[int, list[Subscription]] = defaultdict(list)
        for subscription in having:
            if subscription.tenant_id in of_tenant:
                mine[subscription.tenant_id].append(subscription)
        for row in tenants.selectors.usage_sums(
            tenants=list(mine), meters=meters, start=day, end=day + timedelta(days=1)
        ):
            usage_plan_id = usage_plans[row.gateway_plan_id] if row.gateway_plan_id else None
            owner = usage_owner(day, usage_plan_id, of_tenant[row.tenant_id])
            found += [
                (each.pk, Meter(row.meter), row.used)
                for each in mine[row.tenant_id]
                if each != owner
            ]
    return found


def _of_several(tenant_ids: Collection[int]) -> dict[int, list[Subscription]]:
    """Return the subscriptions that have begun, by their start, of tenants with more than one."""
    begun = Subscription.objects.filter(starts_on__isnull=False)
    several = begun.filter(tenant__in=Ids(tenant_ids)).order_by().values("tenant")
    several = several.annotate(count=Count("pk")).filter(count__gt=1).values("tenant")
    of_tenant: dict[int, list[Subscription]] = defaultdict(list)
    rows = begun.filter(tenant__in=several).select_related("plan").order_by("starts_on", "pk")
    for subscription in rows:
        of_tenant[subscription.tenant_id].append(subscription)
    return of_tenant
