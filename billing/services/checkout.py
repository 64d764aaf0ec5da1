"""Bring an order to Stripe's Checkout, and look what became of it. Network, so no transactions.

A crash after Stripe made something and before we noted it costs nothing: customers and sessions
carry idempotency keys made of the tenant's and the order's UUIDs, so that the repeat gets the same.
"""

from datetime import datetime, timedelta

import structlog
from django.db.models import F, Q

from billing import payments
from billing.models import Order, OrderState
from billing.models.orders import UNPAID
from billing.services.customers import customer_id
from billing.services.fulfilment import order_settle, order_uncharged
from billing.services.offers import has_card
from billing.services.order_refunds import order_refund
from billing.services.orders import is_current, is_deliverable, order_renew
from billing.services.top_up import Clock, top_up_charge

log = structlog.get_logger(__name__)

CHECK_AFTER = timedelta(seconds=30)  # an order that waits this long is looked up at Stripe
SLOWER_AFTER = timedelta(hours=1)  # then most are abandoned, or refused: every 10 minutes
SLOWLY = timedelta(minutes=10)
FORGET_AFTER = timedelta(days=1)  # one that never got to Checkout ends; sessions live 24 hours


def checkout_start(*, order: Order, success_url: str, cancel_url: str, now: datetime) -> str:
    """Return the address where the order can be paid; empty where it need not be (any more), or is
    an automatic top-up, which its card pays. What is too small for a card only saves one there.

    An open session is used again; one that has expired, or offers what is sold no more, is
    replaced. Raise Refused where the order's period is over, PaymentError where Stripe cannot be
    reached or refuses; nothing is lost then, the order waits.
    """
    if order.state not in UNPAID or order.is_top_up:
        return ""
    if order.checkout_session_id:
        current = payments.checkout_get(session_id=order.checkout_session_id)
        if current.status == "open" and not is_current(order=order, now=now):
            payments.checkout_expire(session_id=current.id)
            current = payments.checkout_get(session_id=current.id)  # or paid just before
        if current.status == "open":
            return current.url
        order = order_settle(order=order, checkout=current, now=now)
        if current.status == "complete":
            return ""  # paid, or the bank is still at it: a second session could charge twice
    order = order_renew(order=order, now=now)
    if order.state not in UNPAID:
        return ""
    if order.amount and not order.to_charge and has_card(tenant=order.tenant):
        order_uncharged(order=order, now=now)
        return ""
    session = payments.checkout_create(
        reference=str(order.uuid),
        metadata={"order": str(order.uuid)},
        idempotency_key=f"order-{order.uuid}-{order.attempt}",
        customer_id=customer_id(tenant=order.tenant, currency=order.currency),
        description=order.description,
        currency=order.currency,
        amount=order.to_charge,
        success_url=success_url,
        cancel_url=cancel_url,
        locale=order.tenant.language,
    )
    # Nobody has its address before this is noted. Pending again, should a sweep have given it up.
    Order.objects.filter(pk=order.pk, attempt=order.attempt, state__in=UNPAID).update(
        checkout_session_id=session.id, state=OrderState.PENDING
    )
    return session.url


def order_check(*, order: Order, now: datetime) -> Order:
    """Ask Stripe about an order and settle it accordingly. Raise PaymentError.

    The page of one that cannot be had any more is closed.
    """
    if order.is_top_up:
        return top_up_charge(order=order, clock=lambda: now)
    if not order.checkout_session_id:
        if order.state == OrderState.PENDING and order.created_at < now - FORGET_AFTER:
            Order.objects.filter(
                pk=order.pk, state=OrderState.PENDING, checkout_session_id=""
            ).update(state=OrderState.EXPIRED)
            order.refresh_from_db()
        return order
    if order.state == OrderState.PENDING and not is_deliverable(order=order, now=now):
        payments.checkout_expire(session_id=order.checkout_session_id)
    state = payments.checkout_get(session_id=order.checkout_session_id)
    return order_settle(order=order, checkout=state, now=now)


def orders_sweep(*, clock: Clock, limit: int = 200) -> int:
    """Look up the orders that wait, and pay back those that are due; return how many.

    So a webhook that never comes changes nothing in the end. One failure stops no other order, and
    each asks the clock anew: many take long.
    """
    now = clock()
    is_due = Q(checked_at=None) | Q(checked_at__lt=now - SLOWLY)
    is_new = Q(created_at__gt=now - SLOWER_AFTER)
    was_just_paid = Q(fulfilled_at__gt=now - SLOWER_AFTER)
    waiting = Order.objects.filter(
        Q(is_due | was_just_paid, state=OrderState.REFUND_DUE)
        | Q(is_due | is_new, state=OrderState.PENDING, created_at__lt=now - CHECK_AFTER)
    ).select_related("tenant")
    done = 0
    for order in waiting.order_by(F("checked_at").asc(nulls_first=True), "id")[:limit]:
        Order.objects.filter(pk=order.pk).update(checked_at=clock())
        try:
            if order.state == OrderState.REFUND_DUE:
                order_refund(order=order, now=clock())
            elif order.is_top_up:
                top_up_charge(order=order, clock=clock)
            else:
                order_check(order=order, now=clock())
            done += 1
        except payments.PaymentError as error:
            log.warning("order.not_checked", order=str(order.uuid), error=str(error))
        except Exception:
            log.exception("order.check_failed", order=str(order.uuid))
    return done
