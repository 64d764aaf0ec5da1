"""A tenant sets its spending cap, or lifts it.

Changes of plan and price that are due are made first: the cap is reckoned by the price that counts
today, and what was used before it was set is owed.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

import tenants.services
from billing.models import SpendingCap
from billing.services.caps import active_of, allowed_by, cap_write
from billing.services.changes import tenant_at_its_plan
from tenants.errors import Refused
from tenants.models import Tenant, User

MOST = 10**12  # in minor units: nobody means more


@transaction.atomic
def cap_set(*, tenant: Tenant, amount: int, actor: User | None, now: datetime) -> SpendingCap:
    """Cap what requests may cost in a calendar month (UTC), in minor units before tax.

    Raise Refused on a plan whose requests are not charged by use, or for an amount that nobody
    means.
    """
    tenant = tenant_at_its_plan(tenant=tenant, now=now)
    subscription = active_of(tenant)
    allowed = allowed_by(subscription, amount, now)
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
    cap_write(tenant, subscription, allowed, now)
    tenants.services.audit_record(
        action="spending_cap.set", tenant=tenant, actor=actor, now=now, amount=amount,
        currency=cap.currency, requests=allowed.own,
    )  # fmt: skip
    return cap


@transaction.atomic
def cap_lift(*, tenant: Tenant, actor: User | None, now: datetime) -> None:
    """Take a tenant's cap away; without one it does nothing."""
    tenant = tenant_at_its_plan(tenant=tenant, now=now)
    deleted, _by_model = SpendingCap.objects.filter(tenant=tenant).delete()
    if deleted:
        cap_write(tenant, active_of(tenant), None, now)
        tenants.services.audit_record(
            action="spending_cap.lifted", tenant=tenant, actor=actor, now=now
        )
