"""Spending caps: money becomes requests through the tiers, and the gateway stops there.

The tenant's quota is written only when the cap, the price or the subscription has changed. On a
plan that is not charged by use a cap rests, and comes back with a plan that is.
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

import tenants.services
from billing import tiers
from billing.models import SpendingCap, Subscription, SubscriptionState
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
    requests = _requests(subscription, amount)
    if subscription is None or requests is None or not 0 <= amount <= MOST:
        raise Refused(_("There is nothing to cap on your plan."))
    cap, _is_new = SpendingCap.objects.update_or_create(
        tenant=tenant,
        defaults={
            "currency": subscription.price.currency,
            "amount": amount,
            "requests": requests,
            "set_at": now,
        },
    )
    tenants.services.quota_cap_set(tenant=tenant, requests=requests, now=now)
    tenants.services.audit_record(
        action="spending_cap.set", tenant=tenant, actor=actor, now=now, amount=amount,
        currency=cap.currency, requests=requests,
    )  # fmt: skip
    return cap


@transaction.atomic
def cap_lift(*, tenant: Tenant, actor: User | None, now: datetime) -> None:
    """Take a tenant's cap away; without one it does nothing."""
    tenant = _locked(tenant)
    deleted, _by_model = SpendingCap.objects.filter(tenant=tenant).delete()
    if deleted:
        tenants.services.quota_cap_set(tenant=tenant, requests=None, now=now)
        tenants.services.audit_record(
            action="spending_cap.lifted", tenant=tenant, actor=actor, now=now
        )


@transaction.atomic
def cap_follow(*, tenant: Tenant, now: datetime) -> None:
    """Reckon a cap anew by the plan and the price that the tenant has now."""
    tenant = _locked(tenant)
    cap = SpendingCap.objects.filter(tenant=tenant).first()
    if cap is None:
        return
    requests = _requests(_active(tenant), cap.amount)
    cap.requests = requests or 0
    cap.save(update_fields=["requests"])
    tenants.services.quota_cap_set(tenant=tenant, requests=requests, now=now)


def caps_sweep(*, now: datetime) -> None:
    """Reckon all caps anew that another price, or plan, has made wrong.

    One tenant's failure stops no other's.
    """
    for cap in SpendingCap.objects.select_related("tenant"):
        try:
            if cap.requests != (_requests(_active(cap.tenant), cap.amount) or 0):
                cap_follow(tenant=cap.tenant, now=now)
        except Exception:
            log.exception("cap.not_followed", tenant=cap.tenant_id)


def _locked(tenant: Tenant) -> Tenant:
    return Tenant.objects.select_for_update().get(pk=tenant.pk)


def _active(tenant: Tenant) -> Subscription | None:
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    return active.select_related("plan__usage_plan", "price").first()


def _requests(subscription: Subscription | None, amount: int) -> int | None:
    """Return how many requests of a month an amount pays for; None where there is nothing to cap.

    A quota of another period than the month would begin anew before the money does.
    """
    if subscription is None:
        return None
    steps = priced(subscription.plan, subscription.price).get(Meter.REQUESTS)
    if not steps or subscription.plan.usage_plan.quota_period != QuotaPeriod.MONTH:
        return None
    most = tiers.most(steps, amount)
    return None if most is None else min(most, subscription.plan.usage_plan.quota_limit)
