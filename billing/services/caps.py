"""Spending caps: money becomes requests through the tiers, and the gateway stops there.

The tenant's quota is written only when the cap, the price or the subscription has changed, and
where the gateway tells later what was used under another plan of the month. On a plan that is not
charged by use a cap rests, and comes back with a plan that is. What was allowed when stays in rows:
the close charges no more (billing/capped.py).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django.db import transaction

import tenants.selectors
import tenants.services
from billing import tiers
from billing.capped import most_charged
from billing.dues import charged, month_of, usage_days
from billing.models import CapChange, SpendingCap, Subscription, SubscriptionState
from billing.usage import usage_read
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
    begun = Subscription.objects.filter(tenant__in=tenant_ids, starts_on__lt=month.end)
    begun = begun.exclude(ends_on__lt=month.start).select_related("plan", "price", "tenant")
    days = {
        each: held
        for each in begun.prefetch_related("price__tiers")
        if (held := usage_days(each, month)) is not None
    }
    read = usage_read({each.pk: held for each, held in days.items()}, list(days), [Meter.REQUESTS])
    used = {each: read[each.pk].by_meter.get(Meter.REQUESTS, 0) for each in days}
    in_all: Counter[int] = Counter()
    for row in tenants.selectors.usage_sums(
        tenants=tenant_ids, meters=[Meter.REQUESTS], start=month.start, end=month.end
    ):
        in_all[row.tenant_id] += row.used
    most = most_charged(subscriptions=list(days), month=month)
    costs: dict[int, dict[Subscription, int]] = defaultdict(dict)
    for each in days:
        paid = charged(Meter.REQUESTS, used[each], most.get(each.pk))
        steps = priced(each.plan, each.price).get(Meter.REQUESTS, [])
        costs[each.tenant_id][each] = tiers.price(steps, paid)
    return {
        each: (
            in_all[each.tenant_id] - used.get(each, 0),
            sum(cost for of, cost in costs[each.tenant_id].items() if of != each),
        )
        for each in subscriptions
    }


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
