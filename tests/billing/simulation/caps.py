"""Spending caps: set, lowered and taken away; what one allows is reckoned anew after each sweep."""

from bisect import bisect_right
from collections.abc import Iterable

from billing import services
from billing.models import CapChange, Overage, SpendingCap, Subscription, SubscriptionState
from tenants.models import Entitlement, Tenant
from tests.billing.simulation import rules
from tests.billing.simulation.held import caps_of, held_by, used_by
from tests.billing.simulation.world import Draw, World

_AMOUNTS = (0, 150, 2_000, 60_000)
_LIMIT = 1_000_000_000  # at the gateway, of both plans that are charged by use


def cap(world: World, draw: Draw) -> None:
    """Cap who pays by use, or who does not, which is refused."""
    priced = Subscription.objects.filter(
        state=SubscriptionState.ACTIVE, plan__overage=Overage.PRICED
    )
    by_use = [each.tenant for each in priced.select_related("tenant").order_by("tenant")]
    tenant = draw.of(by_use if draw.below(8) else world.tenants)
    services.cap_set(tenant=tenant, amount=draw.of(_AMOUNTS), actor=None, now=world.now)


def cap_lift(world: World, draw: Draw) -> None:
    services.cap_lift(tenant=draw.of(world.tenants), actor=None, now=world.now)


def caps_sweep(world: World, draw: Draw) -> None:
    services.caps_sweep(now=world.now)
    for each in SpendingCap.objects.filter(tenant__in=world.tenants):
        _check(world, each)


def _check(world: World, spending_cap: SpendingCap) -> None:
    """What a cap allows costs no more than it, less what the month's other plans cost, and one
    request more does. The gateway counts what was used under those, and in a trial.
    """
    tenant = spending_cap.tenant
    active = Subscription.objects.get(tenant=tenant, state=SubscriptionState.ACTIVE)
    held, used = held_by(tenant), used_by(world, tenant)
    (now,) = (each for each in held if each.pk == active.pk)
    own = in_all = None
    if now.tiers:
        month = world.today.replace(day=1)
        until = rules.next_month(month)
        found = rules.usage(held, used, until + rules.DAY, caps_of(tenant))
        cost = {pk: amount for (pk, of), (_count, amount) in found.items() if of == month}
        left = spending_cap.amount - sum(cost.values()) + cost.get(now.pk, 0)
        most = _most(now.tiers, max(left, 0))
        counted = sum(used[key] for key in used if month <= key[1] < until)
        others = counted - found.get((now.pk, month), (0, 0))[0]
        own, in_all = min(most, _LIMIT), min(others + most, _LIMIT)
    assert spending_cap.requests == (own or 0), (spending_cap, own)
    last = CapChange.objects.filter(subscription=active).first()
    assert (last.requests if last else None) == own, (spending_cap, own)
    assert _at_the_gateway(tenant) == in_all, (spending_cap, in_all)


def _most(tiers: Iterable[rules.Tier], amount: int) -> int:
    steps = list(tiers)
    counts = range(2 * _LIMIT)
    return bisect_right(counts, amount, key=lambda count: rules.tiered(steps, count)) - 1


def _at_the_gateway(tenant: Tenant) -> int | None:
    latest = Entitlement.objects.filter(tenant=tenant).latest("period_start")
    return latest.cap_requests
