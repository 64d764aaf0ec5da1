"""Sign-up: a tenant, its subscription, and what it has to pay first, in one transaction."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.utils.translation import gettext as _

import tenants.services
from billing.models import (
    Currency,
    Customer,
    Order,
    Plan,
    Subscription,
    SubscriptionState,
)
from billing.services.offers import FREE, price_latest
from billing.services.plan_orders import subscription_order
from billing.usage_prices import priced
from tenants.errors import Refused
from tenants.models import Tenant, User


@dataclass(frozen=True)
class SignUp:
    """A new tenant, and the order that it has to pay before its plan begins, if any."""

    tenant: Tenant
    order: Order | None


@transaction.atomic
def sign_up(
    *, user: User, organization: str, plan_code: str, currency: str, now: datetime, language: str
) -> SignUp:
    """Create a tenant that subscribes to a plan. Until a paid plan is paid, it is on `free`.

    Raise Refused for an unknown plan or currency, or without a name; nothing is written then.
    """
    plan = Plan.objects.filter(code=plan_code, is_public=True).select_related("usage_plan").first()
    if plan is None:
        raise Refused(_("There is no plan “%(code)s”.") % {"code": plan_code})
    if currency not in Currency.values:
        raise Refused(_("Prices are not set in “%(currency)s”.") % {"currency": currency})
    price = price_latest(plan=plan, currency=currency)
    has_to_pay = price.monthly_fee > 0 or bool(priced(plan, price))
    free = Plan.objects.select_related("usage_plan").get(code=FREE)
    starts_with = free if has_to_pay else plan
    tenant = tenants.services.tenant_create(
        name=organization,
        owner=user,
        usage_plan=starts_with.usage_plan,
        now=now,
        language=language,
    )
    Customer.objects.create(tenant=tenant, currency=currency)
    today = now.astimezone(UTC).date()
    Subscription.objects.create(
        tenant=tenant,
        plan=starts_with,
        price=price_latest(plan=starts_with, currency=currency),
        state=SubscriptionState.ACTIVE,
        created_at=now,
        starts_on=today,
        fee_from=today,
    )
    if not has_to_pay:
        return SignUp(tenant, None)
    wanted = Subscription.objects.create(
        tenant=tenant,
        plan=plan,
        price=price,
        state=SubscriptionState.INCOMPLETE,
        created_at=now,
    )
    return SignUp(tenant, subscription_order(subscription=wanted, actor=user, now=now))
