"""What Stripe says of an order becomes what the order is: fulfilled, declined, expired, refunded.

Fulfilment is one transaction that locks the order first: however often and from wherever it is
called (webhook, return page, sweep), an order is fulfilled once. No network.
"""

from datetime import UTC, datetime

from django.db import transaction

import tenants.services
from billing import selectors
from billing.models import (
    Order,
    OrderPurpose,
    OrderState,
    Subscription,
)
from billing.models.orders import UNPAID
from billing.payments import Card, CheckoutState, IntentState
from billing.services.cards import card_keep
from billing.services.changes import tenant_at_its_plan
from billing.services.invoices import order_invoice_issue
from billing.services.ledger import order_held_post
from billing.services.offers import offer_at
from billing.services.order_refunds import money_due_back
from billing.services.plan_changes import subscription_begin
from billing.services.plan_orders import is_awaited, plan_order_again, takes_back_too_much
from tenants import queue
from tenants.errors import NotInThisState
from tenants.models import GrantKind, TenantState


@transaction.atomic
def order_settle(*, order: Order, checkout: CheckoutState, now: datetime) -> Order:
    """Note what Checkout says of an order: paid, expired, or declined so far. Idempotent.

    A purchase that is paid after the period that the buyer was shown is refunded by itself, and so
    is what comes in once more for one that is paid.
    """
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    if not checkout.is_paid:
        if order.state in UNPAID and checkout.id == order.checkout_session_id:
            if checkout.status == "expired":
                order.state = OrderState.EXPIRED
            order.decline_code = checkout.decline_code[:60]
            order.decline_message = checkout.decline_message[:300]
            order.save()
        return order
    return _fulfil(
        order,
        amount=checkout.amount,
        currency=checkout.currency or order.currency,
        payment_intent_id=checkout.payment_intent_id,
        card=checkout.card,
        now=now,
    )


@transaction.atomic
def order_charged(*, order: Order, intent: IntentState, now: datetime) -> Order:
    """Note that an order was charged to the saved card. Idempotent, as `order_settle` is."""
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    return _fulfil(
        order,
        amount=intent.amount,
        currency=intent.currency,
        payment_intent_id=intent.id,
        card=None,
        now=now,
    )


@transaction.atomic
def order_uncharged(*, order: Order, now: datetime) -> Order:
    """Begin a plan of which too little is to pay for a card, of a tenant who has saved one."""
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    return _fulfil(
        order, amount=0, currency=order.currency, payment_intent_id="", card=None, now=now
    )


def _fulfil(
    order: Order,
    *,
    amount: int,
    currency: str,
    payment_intent_id: str,
    card: Card | None,
    now: datetime,
) -> Order:
    """Deliver what was paid and issue its invoice; what cannot be delivered is to be refunded.

    Of one that is paid already, what another payment brought in.
    """
    if order.state not in UNPAID:
        if amount and payment_intent_id != order.payment_intent_id:
            money_due_back(
                order=order,
                amount=amount,
                currency=currency,
                payment_intent_id=payment_intent_id,
                now=now,
            )
        return order
    order.payment_intent_id = payment_intent_id
    order.fulfilled_at = now
    order.state = OrderState.FULFILLED
    order.decline_code = order.decline_message = ""
    is_as_agreed = (amount, currency) == (order.to_charge, order.currency)
    if not (is_as_agreed and _deliver(order, now)):
        order.state = OrderState.REFUND_DUE
        if amount != order.amount or not is_as_agreed:  # what goes back is what came in
            order.amount, order.tax, order.currency = amount, 0, currency
        order_held_post(order=order, now=now)
        queue.on_commit("billing.tasks.order_refund", order.pk, queue="default")
    order.save()
    if order.state == OrderState.REFUND_DUE and is_awaited(order.subscription):
        # The plan can still be had, at today's share: its page leads to this one.
        plan_order_again(order=order, subscription=order.subscription, now=now)
    if order.state == OrderState.FULFILLED:
        if card is not None:
            card_keep(tenant=order.tenant, card=card, now=now)
        if order.amount:
            order_invoice_issue(order=order, now=now)
    return order


def _deliver(order: Order, now: datetime) -> bool:
    """Give what was bought; return whether that is still possible."""
    if order.tenant.state != TenantState.ACTIVE and order.purpose != OrderPurpose.CARD:
        return False
    match order.purpose:
        case OrderPurpose.EXTENSION:
            tenant = tenant_at_its_plan(tenant=order.tenant, now=now)
            if not selectors.takes_packs(tenant=tenant):
                return False
            try:
                tenants.services.quota_grant(
                    tenant=tenant,
                    requests=order.requests,
                    kind=GrantKind.EXTENSION,
                    source=f"order:{order.uuid}",
                    period_start=order.period_start,
                    rolls_over=order.rolls_over,
                    now=now,
                )
            except NotInThisState:
                return False
        case OrderPurpose.SUBSCRIPTION | OrderPurpose.CHANGE:
            return order.subscription is not None and _plan_begin(order, order.subscription, now)
    return True


def _plan_begin(order: Order, begins: Subscription, now: datetime) -> bool:
    """Begin the plan that was paid for, unless the month is over, another plan has begun, or the
    price took back what was credited since; where only a card was saved, unless there is something
    to pay by now.

    Where Checkout was open over midnight (UTC) it begins on the day that was paid.
    """
    tenant = tenant_at_its_plan(tenant=order.tenant, now=now)
    begins.refresh_from_db()  # now that the tenant is locked
    today = now.astimezone(UTC).date()
    is_in_period = order.period_start <= today < order.period_end
    is_offered = is_in_period or not order.amount  # saving a card is for no period
    if not (is_offered and is_awaited(begins)) or takes_back_too_much(order):
        return False
    made = offer_at(tenant=tenant, plan=begins.plan, price=begins.price, now=now, at_once=True)
    if made.amount and not order.amount:
        return False
    subscription_begin(
        begins=begins, made=made, on=order.starts_on if order.amount else None, now=now
    )
    return True


@transaction.atomic
def order_decline(*, order: Order, code: str, message: str) -> None:
    """Note why the bank declined; the order stays open for another try."""
    order = Order.objects.select_for_update().get(pk=order.pk)
    if order.state == OrderState.PENDING:
        order.decline_code, order.decline_message = code[:60], message[:300]
        order.save(update_fields=["decline_code", "decline_message"])
