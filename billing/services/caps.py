"""Spending caps: money becomes requests through the tiers, and the gateway stops there.

The tenant's quota is written only when the cap, the price or the subscription has changed, and
where the gateway tells later what was used under another plan of the month. On a plan that is not
charged by use a cap rests, and comes back with a plan that is. What was allowed when stays in rows:
the close charges no more (billing/capped.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django.db import transaction

import tenants.selectors
import tenants.services
from billing import tiers
from billing.dues import month_of
from billing.models import CapChange, SpendingCap, Subscription, SubscriptionState
from billing.spending import Spent, requests_spent
from billing.usage_prices import priced
from tenants.models import Meter, QuotaPeriod, Tenant


@transaction.atomic
def cap_follow(*, tenant: Tenant, now: datetime, begins_on: date | None = None) -> None:
    """Reckon a cap anew by the plan and the price that the tenant has now.

    Where the subscription has just begun, on a day (UTC) that may be past, the cap stands on it
    from then on, as it would had that been made in time.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    cap = SpendingCap.objects.filter(tenant=tenant).first()
    if cap is None:
        return
    active = active_of(tenant)
    if active is not None and begins_on is not None:
        since = min(now, datetime.combine(begins_on, time.min, tzinfo=UTC))
        _note(active, allowed_by(active, cap.amount, since), since, was_carried_over=True)
    allowed = allowed_by(active, cap.amount, now)
    cap.requests = allowed.own if allowed else 0
    cap.save(update_fields=["requests"])
    cap_write(tenant, active, allowed, now)


def active_of(tenant: Tenant) -> Subscription | None:
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    return active.select_related("tenant", "plan__usage_plan", "price").first()


@dataclass(frozen=True)
class Allowed:
    """How many requests of a month a cap allows: of the subscription, and of the tenant in all."""

    own: int
    in_all: int


def allowed_by(subscription: Subscription | None, amount: int, now: datetime) -> Allowed | None:
    """Return what an amount pays for in this month; None where there is nothing to cap."""
    if subscription is None:
        return None
    return allowed_of({subscription: amount}, now).get(subscription)


def allowed_of(amounts: Mapping[Subscription, int], now: datetime) -> dict[Subscription, Allowed]:
    """Return the same for active subscriptions, by queries that do not grow with their number.

    What other subscriptions of the month have cost takes from it. What was used under them, or in a
    trial, is charged otherwise or not at all, but counts in the tenant's quota. A quota of another
    period than the month would begin anew before the money does.
    """
    steps = {
        each: of
        for each in amounts
        if (of := priced(each.plan, each.price).get(Meter.REQUESTS))
        and each.plan.usage_plan.quota_period == QuotaPeriod.MONTH
    }
    others = _others(list(steps), now) if steps else {}
    found = {}
    for each, of in steps.items():
        used, cost = others[each]
        most = tiers.most(of, max(amounts[each] - cost, 0))
        if most is not None:
            limit = each.plan.usage_plan.quota_limit
            found[each] = Allowed(own=min(most, limit), in_all=min(used + most, limit))
    return found


def _others(
    subscriptions: Sequence[Subscription], now: datetime
) -> dict[Subscription, tuple[int, int]]:
    """Return how many of each one's tenant's requests of the month are not of this subscription,
    and what they cost.
    """
    month = month_of(now.astimezone(UTC).date())
    tenant_ids = [each.tenant_id for each in subscriptions]
    spent = requests_spent(tenant_ids=tenant_ids, month=month)
    in_all: Counter[int] = Counter()
    for row in tenants.selectors.usage_sums(
        tenants=tenant_ids, meters=[Meter.REQUESTS], start=month.start, end=month.end
    ):
        in_all[row.tenant_id] += row.used
    found = {}
    for each in subscriptions:
        of_tenant = spent.get(each.tenant_id, {})
        own = of_tenant.get(each, Spent(0, 0))
        cost = sum(of.cost for of in of_tenant.values())
        found[each] = (in_all[each.tenant_id] - own.requests, cost - own.cost)
    return found


def cap_write(
    tenant: Tenant, subscription: Subscription | None, allowed: Allowed | None, now: datetime
) -> None:
    """Note what is charged at most from now on, and have the gateway stop there."""
    if subscription is not None:
        _note(subscription, allowed, now)
    tenants.services.quota_cap_set(
        tenant=tenant, requests=allowed.in_all if allowed else None, now=now
    )


def _note(
    subscription: Subscription,
    allowed: Allowed | None,
    since: datetime,
    *,
    was_carried_over: bool = False,
) -> None:
    own = allowed.own if allowed else None
    last = CapChange.objects.filter(subscription=subscription).first()
    if own != (last.requests if last else None):
        CapChange.objects.create(
            subscription=subscription,
            requests=own,
            was_carried_over=was_carried_over,
            written_at=since,
        )
