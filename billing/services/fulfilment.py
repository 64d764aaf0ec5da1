"""What Stripe says of an order becomes what the order is: fulfilled, declined, expired, refunded.

Fulfilment is one transaction that locks the order first: however often and from wherever it is
called (webhook, return page, sweep), an order is fulfilled once. No network.
"""

from datetime import UTC, date, datetime
from typing import TypeGuard

from django.db import transaction

import tenants.services
from billing.models import (
    Order,
    OrderPurpose,
    OrderState,
    Subscription,
    SubscriptionState,
)
from billing.money import prorated
from billing.payments import Card, CheckoutState, IntentState
from billing.services.cards import card_keep
from billing.services.invoices import order_invoice_issue
from billing.services.ledger import order_held_post
from billing.services.orders import UNPAID, subscription_order
from tenants import queue
from tenants.errors import NotInThisState
from tenants.models import GrantKind, QuotaPeriod, UsagePlan
from tenants.periods import Period, period_of


@transaction.atomic
def order_settle(*, order: Order, checkout: CheckoutState, now: datetime) -> Order:
    """Note what Checkout says of an order: paid, expired, or declined so far. Idempotent.

    A purchase that is paid after the period that the buyer was shown is refunded by itself.
    """
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    if order.state not in UNPAID:
        return order
    if not checkout.is_paid:
        if checkout.id == order.checkout_session_id:
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
    if order.state not in UNPAID:
        return order
    return _fulfil(
        order,
        amount=intent.amount,
        currency=intent.currency,
        payment_intent_id=intent.id,
        card=None,
        now=now,
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
    """Deliver what was paid and issue its invoice; what cannot be delivered is to be refunded."""
    order.payment_intent_id = payment_intent_id
    order.fulfilled_at = now
    order.state = OrderState.FULFILLED
    order.decline_code = order.decline_message = ""
    is_as_agreed = (amount, currency) == (order.amount, order.currency)
    if not (is_as_agreed and _deliver(order, now)):
        order.state = OrderState.REFUND_DUE
        order_held_post(order=order, amount=amount, currency=currency, now=now)
        queue.on_commit("billing.tasks.order_refund", order.pk, queue="default")
    order.save()
    if order.state == OrderState.REFUND_DUE and _is_awaited(order.subscription):
        # The plan can still be had, at today's share: its page leads to this one.
        subscription_order(subscription=order.subscription, actor=order.created_by, now=now)
    if order.state == OrderState.FULFILLED:
        if card is not None:
            card_keep(tenant=order.tenant, card=card, now=now)
        if order.amount:
            order_invoice_issue(order=order, now=now)
    return order


def _deliver(order: Order, now: datetime) -> bool:
    """Give what was bought; return whether that is still possible."""
    match order.purpose:
        case OrderPurpose.EXTENSION:
            try:
                tenants.services.quota_grant(
                    tenant=order.tenant,
                    requests=order.requests,
                    kind=GrantKind.EXTENSION,
                    source=f"order:{order.uuid}",
                    period_start=order.period_start,
                    rolls_over=order.rolls_over,
                    now=now,
                )
            except NotInThisState:
                return False
        case OrderPurpose.SUBSCRIPTION:
            today = now.astimezone(UTC).date()
            is_in_period = order.period_start <= today < order.period_end
            is_offered = is_in_period or not order.amount  # saving a card is for no period
            if not (is_offered and _is_awaited(order.subscription)):
                return False
            _subscription_start(order.subscription, today, now)
            if order.amount:
                _credit_days_before(order, order.subscription.plan.usage_plan, today, now)
    return True


def _is_awaited(subscription: Subscription | None) -> TypeGuard[Subscription]:
    """Say whether a subscription waits for its first payment."""
    return subscription is not None and subscription.state == SubscriptionState.INCOMPLETE


def _subscription_start(subscription: Subscription, today: date, now: datetime) -> None:
    """Begin a subscription that was waiting for its payment; the one before it ends.

    This month was paid for: the month's run bills the fee from the next on.
    """
    Subscription.objects.filter(tenant=subscription.tenant, state=SubscriptionState.ACTIVE).update(
        state=SubscriptionState.CANCELLED, ends_on=today
    )
    subscription.state = SubscriptionState.ACTIVE
    subscription.starts_on = today
    subscription.fee_from = period_of(QuotaPeriod.MONTH, now).end
    subscription.save(update_fields=["state", "starts_on", "fee_from"])
    tenants.services.tenant_change_plan(
        tenant=subscription.tenant, usage_plan=subscription.plan.usage_plan, now=now
    )


def _credit_days_before(order: Order, limits: UsagePlan, today: date, now: datetime) -> None:
    """Give the quota of days that were paid but are over: Checkout was open over midnight (UTC).

    The plan's own share counts from today; with this it is that of the days that were paid.
    """
    if order.starts_on is None or not limits.is_prorated:
        return
    month = Period(order.period_start, order.period_end)
    if limits.quota_period != QuotaPeriod.MONTH or order.starts_on >= today:
        return
    paid, given = (
        prorated(limits.quota_limit, days=(month.end - day).days, of=month.days)
        for day in (order.starts_on, today)
    )
    if paid > given:
        tenants.services.quota_grant(
            tenant=order.tenant,
            requests=paid - given,
            kind=GrantKind.CREDIT,
            source=f"order:{order.uuid}",
            period_start=month.start,
            now=now,
        )


@transaction.atomic
def order_decline(*, order: Order, code: str, message: str) -> None:
    """Note why the bank declined; the order stays open for another try."""
    order = Order.objects.select_for_update().get(pk=order.pk)
    if order.state == OrderState.PENDING:
        order.decline_code, order.decline_message = code[:60], message[:300]
        order.save(update_fields=["decline_code", "decline_message"])
