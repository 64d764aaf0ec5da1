"""Start an organisation for somebody who may own one already.

Quota is a tenant's: whoever owns one on the free plan would double it by a click. So a person
starts another only while none of theirs is on it. What waits for its first payment is, and what is
being deleted may still be kept. Operators who approve a request decide for themselves.

The rule is of starting alone: a customer who leaves a paid plan, or is handed an organisation, is
not kept from it for the sake of another one that is free.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import Subscription, SubscriptionState
from billing.selectors.subscriptions import plan_order_waiting
from billing.services.offers import FREE
from billing.services.sign_up import SignUp, sign_up
from tenants.errors import Refused
from tenants.models import Role, Tenant, TenantState, User
from tenants.services import account_keep


class OwnsFree(Refused):
    """They own `tenant`, which is on the free plan, where `awaits_payment` until it has paid."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.awaits_payment = plan_order_waiting(tenant=tenant) is not None
        if tenant.state != TenantState.ACTIVE:
            text = _(
                "%(name)s, which you own, is on the free plan and is being deleted. You can start"
                " another organisation once it is gone."
            )
        elif self.awaits_payment:
            text = _(
                "%(name)s, which you own, is on the free plan until its first payment is made. You"
                " can start another organisation after that."
            )
        else:
            text = _(
                "%(name)s, which you own, is on the free plan. You can start another organisation"
                " once it is on a paid one."
            )
        super().__init__(text % {"name": tenant.name})


def organisation_start_check(*, user: User) -> None:
    """Raise OwnsFree where the user owns an organisation on the free plan."""
    owned = Subscription.objects.filter(
        tenant__members__user=user,
        tenant__members__role=Role.OWNER,
        state=SubscriptionState.ACTIVE,
        plan__code=FREE,
    )
    first = owned.select_related("tenant").order_by("tenant_id").first()
    if first is not None:
        raise OwnsFree(first.tenant)


@transaction.atomic
def organisation_start(
    *, user: User, organization: str, plan_code: str, currency: str, now: datetime
) -> SignUp:
    """Sign up a tenant for a user, in their language. Of two at once the second sees the first's.

    Raise OwnsFree, and Refused as `sign_up` does, or where the account is gone; nothing is written
    then.
    """
    account_keep(user=user)
    organisation_start_check(user=user)
    return sign_up(
        user=user,
        organization=organization,
        plan_code=plan_code,
        currency=currency,
        now=now,
        language=user.language,
    )
