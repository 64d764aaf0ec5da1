"""Spending caps: money becomes requests through the tiers, and the gateway stops there.

The tenant's quota is written only when the cap, the price or the subscription has changed, and
where the gateway tells later what was used under another plan of the month. On a plan that is not
charged by use a cap rests, and comes back with a plan that is. What was allowed when stays in rows:
the close charges no more (billing/capped.py).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

import tenants.selectors
import tenants.services
from billing import tiers
from billing.capped import most_charged
from billing.dues import charged, month_of, usage_days
from billing.models import CapChange, SpendingCap, Subscription, SubscriptionState
from billing.usage import usage_read
from billing.usage_prices import priced
from tenants.errors import Refused
from tenants.models import Meter, QuotaPeriod, Tenant, User

log = structlog.get_logger(__name__)

MOST = 10**12  # in minor units: nobody means more


@transaction.atomic
def cap_set(*, tenant: Tenant, amount: int, actor: User | None, now: datetime) -> SpendingCap:
    """Cap what requests may cost in a calendar month (UTC), in minor units before tax.

    Raise Refused on a plan whose requests are not charged by use, or for an amount that nobody
    means.
    """
    tenant = _locked(tenant)
    subscription = _active(tenant)
    allowed = _allowed(subscription, amount, now)
    if subscription is None or allowed is None or not 0 <= amount <= MOST:
        raise Refused(_("There is nothing to cap on your plan."))
    cap, _is_new = SpendingCap.objects.update_or_create(
        tenant=tenant,
        defaults={
            "currency": subscription.price.currency,
            "amount": amount,
            "requests": allowed.own,
            "set_at": now,
        },
    )
    _write(tenant, subscription, allowed, now)
    tenants.services.audit_record(
        action="spending_cap.set", tenant=tenant, actor=actor, now=now, amount=amount,
        currency=cap.currency, requests=allowed.own,
    )  # fmt: skip
    return cap


@transaction.atomic
def cap_lift(*, tenant: Tenant, actor: User | None, now: datetime) -> None:
    """Take a tenant's cap away; without one it does nothing."""
    tenant = _locked(tenant)
    deleted, _by_model = SpendingCap.objects.filter(tenant=tenant).delete()
    if deleted:
        _write(tenant, _active(tenant), None, now)
        tenants.services.audit_record(
            action="spending_cap.lifted", tenant=tenant, actor=actor, now=now
        )


@transaction.atomic
def cap_follow(*, tenant: Tenant, now: datetime, begins: bool = False) -> None:
    """Reckon a cap anew by the plan and the price that the tenant has now.

    Where the subscription `begins` now, the cap stands on it from the first.
    """
    tenant = _locked(tenant)
    cap = SpendingCap.objects.filter(tenant=tenant).first()
    if cap is None:
        return
    active = _active(tenant)
    allowed = _allowed(active, cap.amount, now)
    cap.requests = allowed.own if allowed else 0
    cap.save(update_fields=["requests"])
    _write(tenant, active, allowed, now, was_carried_over=begins)


def caps_sweep(*, now: datetime) -> None:
    """Reckon all caps anew: another price, plan or month has made some wrong.

    Where nothing changed nothing is written. One tenant's failure stops no other's.
    """
    for cap in SpendingCap.objects.select_related("tenant"):
        try:
            cap_follow(tenant=cap.tenant, now=now)
        except Exception:
            log.exception("cap.not_followed", tenant=cap.tenant_id)


def _locked(tenant: Tenant) -> Tenant:
    return Tenant.objects.select_for_update().get(pk=tenant.pk)


def _active(tenant: Tenant) -> Subscription | None:
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    return active.select_related("tenant", "plan__usage_plan", "price").first()


@dataclass(frozen=True)
class _Allowed:
    """How many requests of a month a cap allows: of the subscription, and of the tenant in all."""

    own: int
    in_all: int


def _allowed(subscription: Subscription | None, amount: int, now: datetime) -> _Allowed | None:
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
    return _Allowed(own=min(most, limit), in_all=min(used + most, limit))


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


def _write(
    tenant: Tenant,
    subscription: Subscription | None,
    allowed: _Allowed | None,
    now: datetime,
    *,
    was_carried_over: bool = False,
) -> None:
    """Note what is charged at most from now on, and have the gateway stop there."""
    own = allowed.own if allowed else None
    if subscription is not None:
        last = CapChange.objects.filter(subscription=subscription).first()
        if own != (last.requests if last else None):
            CapChange.objects.create(
                subscription=subscription,
                requests=own,
                was_carried_over=was_carried_over,
                written_at=now,
            )
    tenants.services.quota_cap_set(
        tenant=tenant, requests=allowed.in_all if allowed else None, now=now
    )
