"""Orders for plans: a first month, or a change. Priced as of today, with what it takes back."""

from datetime import datetime
from typing import Any, TypeGuard

from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.models import Order, OrderPurpose, Subscription, SubscriptionState
from billing.models.orders import UNPAID
from billing.proration import rest_of_month
from billing.services.fee_lines import days_line
from billing.services.fees_paid import rest_paid
from billing.services.offers import Offer, offer_at, price_latest, subscription_active
from billing.tax_tables import priced
from tenants.models import User
from tenants.periods import Period


def subscription_order(*, subscription: Subscription, actor: User | None, now: datetime) -> Order:
    """Write the order for the first month of a plan that was signed up for.

    Of a plan without a fee, or on trial, it is an order over nothing, which saves a card.
    """
    return _plan_order(subscription, OrderPurpose.SUBSCRIPTION, "", actor, now)


def change_order(*, offer: Offer, token: str, actor: User | None, now: datetime) -> Order:
    """Write the order for a change of plan; one that waits for the same price is used again, and
    is priced anew on the way to Checkout.

    Call it inside a transaction that has locked the tenant.
    """
    waiting, _is_new = Subscription.objects.get_or_create(
        tenant=offer.replaces.tenant,
        plan=offer.plan,
        price=offer.price,
        state=SubscriptionState.INCOMPLETE,
        defaults={"created_at": now},
    )
    unpaid = waiting.orders.filter(state__in=UNPAID).order_by("-id").first()
    return unpaid or _plan_order(waiting, OrderPurpose.CHANGE, token, actor, now)


def plan_order_again(*, order: Order, subscription: Subscription, now: datetime) -> Order:
    """Offer a plan once more whose order was paid too late: at today's share."""
    purpose = OrderPurpose(order.purpose)
    return _plan_order(subscription, purpose, "", order.created_by, now)


def plan_order_today(*, order: Order, now: datetime) -> Order | None:
    """Return a plan's waiting order as it is priced on the way to Checkout now; it is not written.

    None where the plan is not sold any more, or at another price.
    """
    if not (is_awaited(order.subscription) and is_on_sale(order.subscription)):
        return None
    return Order(currency=order.currency, **plan_frozen(order.subscription, now))


def is_awaited(subscription: Subscription | None) -> TypeGuard[Subscription]:
    """Say whether a subscription waits for its first payment: no other has begun since."""
    return subscription is not None and subscription.state == SubscriptionState.INCOMPLETE


def takes_back_too_much(order: Order) -> bool:
    """Say whether an order takes back more for a plan that was paid than is left of it on the day
    that was ordered, as after a credit note: its price is not what is to pay any more.
    """
    taken: int = -sum(min(line["amount"], 0) for line in order.lines)
    if not (taken and order.amount and order.starts_on):
        return False
    _plan, paid = rest_paid(
        subscription=subscription_active(tenant=order.tenant),
        day=order.starts_on,
        month=Period(order.period_start, order.period_end),
    )
    return taken > paid.amount


def is_on_sale(subscription: Subscription) -> bool:
    """Say whether the plan that a subscription waits for is still sold, and at this price."""
    plan, price = subscription.plan, subscription.price
    return plan.is_public and price_latest(plan=plan, currency=price.currency) == price


def _plan_order(
    subscription: Subscription,
    purpose: OrderPurpose,
    token: str,
    actor: User | None,
    now: datetime,
) -> Order:
    return Order.objects.create(
        tenant=subscription.tenant,
        purpose=purpose,
        token=token or f"subscription-{subscription.pk}-{subscription.orders.count()}",
        currency=subscription.price.currency,
        subscription=subscription,
        created_by=actor,
        created_at=now,
        **plan_frozen(subscription, now),
    )


def plan_frozen(subscription: Subscription, now: datetime) -> dict[str, Any]:
    """Return what an order for a plan freezes if it begins today."""
    offer = offer_at(
        tenant=subscription.tenant,
        plan=subscription.plan,
        price=subscription.price,
        now=now,
        at_once=True,  # what waits for the month's end is no order
    )
    with override(subscription.tenant.language):
        if offer.trial_ends_on:
            description = _("%(plan)s, %(days)d days of trial") % {
                "plan": subscription.plan.name,
                "days": subscription.price.trial_days,
            }
        else:
            share = rest_of_month(fee=0, day=offer.takes_effect_on, month=offer.month)
            description = days_line(subscription.plan, share).description
    return {
        "description": description,
        "lines": [
            {
                "description": line.description,
                "quantity": line.quantity,
                "unit_amount": str(line.unit_amount),
                "amount": line.amount,
                "group": str(line.group),
            }
            for line in offer.lines
        ],
        **priced(tenant=subscription.tenant, net=offer.net, now=now),
        "starts_on": offer.takes_effect_on,
        "period_start": offer.month.start,
        "period_end": offer.month.end,
    }
