"""Spending caps: money becomes requests through the tiers, and the gateway stops there.

The tenant's quota is written only when the cap, the price or the subscription has changed, and
where the gateway tells later what was used under another plan of the month. On a plan that is not
charged by use a cap rests, and comes back with a plan that is. What was allowed when stays in rows:
the close charges no more (billing/capped.py).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import structlog
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

log = structlog.get_logger(__name__)


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


def caps_sweep(*, now: datetime) -> None:
    """Reckon all caps anew: another price, plan or month has made some wrong.

    Where nothing changed nothing is written. One tenant's failure stops no other's.
    """
    for cap in SpendingCap.objects.select_related("tenant"):
        try:
            cap_follow(tenant=cap.tenant, now=now)
        except Exception:
            log.exception("cap.not_followed", tenant=cap.tenant_id)


def active_of(tenant: Tenant) -> Subscription | None:
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    return active.select_related("tenant", "plan__usage_plan", "price").first()


@dataclass(frozen=True)
class Allowed:
    """How many requests of a month a cap allows: of the subscription, and of the tenant in all."""

    own: int
    in_all: int


def allowed_by(subscription: Subscription | None, amount: int, now: datetime) -> Allowed | None:
    """Return what an amount pays for in this month; None where there is nothing to cap.

    What other subscriptions of the month have cost takes from it. What was used under them, or in a
    trial, is charged otherwise or not at all, but counts in the tenant's quota. A quota of another
    period than the month would begin anew before the money does.
    """
    if subscription is None:
        return None
    steps = priced(subscription.plan, subscription.price).get(Meter.REQUESTS)
    if not steps or subscription.plan.usage_plan.quota_period != QuotaPeriod.MONTH:
        return None
    used, cost = _others(subscription, now)
    most = tiers.most(steps, max(amount - cost, 0))
    if most is None:
        return None
    limit = subscription.plan.usage_plan.quota_limit
    return Allowed(own=min(most, limit), in_all=min(used + most, limit))


def _others(subscription: Subscription, now: datetime) -> tuple[int, int]:
    """Return how many of the tenant's requests of the month are not of this subscription, and what
    they cost.
    """
    month = month_of(now.astimezone(UTC).date())
    begun = Subscription.objects.filter(tenant=subscription.tenant_id, starts_on__lt=month.end)
    days = {
        each: held
        for each in begun.exclude(ends_on__lt=month.start).select_related("plan", "price", "tenant")
        if (held := usage_days(each, month)) is not None
    }
    read = usage_read({each.pk: held for each, held in days.items()}, list(days), [Meter.REQUESTS])
    used = {each: read[each.pk].by_meter.get(Meter.REQUESTS, 0) for each in days}
    in_all = tenants.selectors.usage_total(
        tenant=subscription.tenant, meter=Meter.REQUESTS, start=month.start, end=month.end
    )
    most = most_charged(subscriptions=list(days), month=month)
    cost = sum(
        tiers.price(steps, charged(Meter.REQUESTS, used[each], most.get(each.pk)))
        for each in days
        if each != subscription
        for steps in [priced(each.plan, each.price).get(Meter.REQUESTS, [])]
    )
    return in_all - used.get(subscription, 0), cost


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
