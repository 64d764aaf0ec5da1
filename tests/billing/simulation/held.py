"""What the portal is asked for, to reckon the rest anew: who held what when, under which caps, and
what the gateway told.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date

from billing.models import CapChange, ChangeState, Overage, PlanChange, PriceMove, Subscription
from tenants.models import Tenant
from tests.billing.simulation import rules
from tests.billing.simulation.rules import Cap, Held
from tests.billing.simulation.world import World


def held_by(tenant: Tenant) -> list[Held]:
    changes = PlanChange.objects.filter(tenant=tenant, state=ChangeState.DONE)
    moves = PriceMove.objects.filter(subscription__tenant=tenant, state=ChangeState.DONE)
    days = {change.takes_effect_on for change in [*changes, *moves]}
    begun = Subscription.objects.filter(tenant=tenant, starts_on__isnull=False)
    held = [
        Held(
            pk=each.pk,
            plan=each.plan.code,
            fee=each.price.monthly_fee,
            setup=each.price.setup_fee,
            trial_days=each.price.trial_days,
            tiers=[
                (tier.up_to, tier.unit_amount)
                for tier in each.price.tiers.all()
                if each.plan.overage == Overage.PRICED
            ],
            starts=each.starts_on,
            ends=each.ends_on or rules.ENDLESS,
            trial_ends=each.trial_ends_on,
            is_followed_by_schedule=each.ends_on in days,
        )
        for each in begun.select_related("plan", "price")
        if each.starts_on is not None
    ]
    return sorted(held, key=lambda each: (each.starts, each.ends))


def caps_of(tenant: Tenant) -> Mapping[int, list[Cap]]:
    """Return what caps allowed each subscription, by its id, in the order in which it changed."""
    found: dict[int, list[Cap]] = defaultdict(list)
    changes = CapChange.objects.filter(subscription__tenant=tenant)
    for each in changes.order_by("written_at", "pk"):
        day = each.written_at.astimezone(UTC).date()
        found[each.subscription_id].append(Cap(day, each.requests, each.was_carried_over))
    return found


def used_by(world: World, tenant: Tenant) -> dict[tuple[str, date], int]:
    return {(plan, day): used for (pk, plan, day), used in world.used.items() if pk == tenant.pk}
