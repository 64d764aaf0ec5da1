"""Money that an order brought in and that cannot be kept: it goes back, all of it, by itself.

That is an order which could not be delivered. Where more came in for an order than one payment, or
a bank sent back what was refunded, the money has an order of its own, that is to be refunded from
the first. So each order stands for one payment, and its books are those of one.
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from billing import payments
from billing.models import Order, OrderState
from billing.services.ledger import order_held_post, order_refund_post
from tenants import queue

log = structlog.get_logger(__name__)


def money_due_back(
    *,
    order: Order,
    amount: int,
    currency: str,
    payment_intent_id: str,
    now: datetime,
    refund_id: str = "",
    reason: str = "",
) -> Order:
    """Write the order of what came in for `order` beside what paid it, in minor units; it is due.

    Where it was refunded already and a bank sent it back, `refund_id` is that refund's: the next
    one is an operator's to make, for `reason`. Again it returns the first. Call it in a
    transaction that has locked the order.
    """
    due, is_new = Order.objects.get_or_create(
        tenant=order.tenant,
        token=refund_id or payment_intent_id,
        defaults={
            "purpose": order.purpose,
            "state": OrderState.REFUND_DUE,
            "description": order.description,
            "currency": currency,
            "amount": amount,
            "pack": order.pack,
            "subscription": order.subscription,
            "period_start": order.period_start,
            "period_end": order.period_end,
            "created_by": order.created_by,
            "created_at": now,
            "payment_intent_id": payment_intent_id,
            "refund_id": refund_id,
            "decline_message": reason,
            "fulfilled_at": now,
        },
    )
    if is_new:
        order_held_post(order=due, now=now)
        log.warning("order.due_back", order=str(order.uuid), due=str(due.uuid))
        queue.on_commit("billing.tasks.order_refund", due.pk, queue="default")
    return due


def order_refund(*, order: Order, now: datetime) -> Order:
    """Pay an order back that could not be delivered, or look what became of that.

    Of a refund that failed, the next one that an operator makes at Stripe is taken. Raise
    PaymentError; a repeat is harmless.
    """
    if order.state != OrderState.REFUND_DUE:
        return order
    if not order.payment_intent_id:  # nothing was paid
        Order.objects.filter(pk=order.pk, state=OrderState.REFUND_DUE).update(
            state=OrderState.REFUNDED
        )
        order.refresh_from_db()
        return order
    intent_id, found = order.payment_intent_id, None
    if order.refund_id:
        found = payments.refund_find(payment_intent_id=intent_id, metadata={})
    if found is None:
        found = payments.refund_all(
            payment_intent_id=intent_id, idempotency_key=f"refund-{order.uuid}"
        )
    return order_refund_settle(order=order, found=found, now=now)


@transaction.atomic
def order_refund_settle(*, order: Order, found: payments.StripeRefund, now: datetime) -> Order:
    """Note what Stripe says of an order's refund. Idempotent.

    One that failed leaves the order to be refunded, and its money held, with the reason. One that a
    bank sent back later is due once more.
    """
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    has_failed = found.status in {"failed", "canceled"}
    reason = ""
    if has_failed:
        code = found.failure_reason or found.status
        reason = _("The refund failed: %(reason)s") % {"reason": code}
        log.warning("order.refund_failed", order=str(order.uuid), reason=code)
    if order.state == OrderState.REFUND_DUE:
        order.refund_id, order.decline_message = found.id, reason
        if found.status == "succeeded":
            order.state, order.refunded_at = OrderState.REFUNDED, now
            order_refund_post(order=order, now=now)
            log.info("order.refunded", order=str(order.uuid))
        order.save(update_fields=["state", "refund_id", "refunded_at", "decline_message"])
    elif order.state == OrderState.REFUNDED and has_failed and found.id == order.refund_id:
        money_due_back(
            order=order,
            amount=order.amount,
            currency=order.currency,
            payment_intent_id=order.payment_intent_id,
            refund_id=found.id,
            reason=reason,
            now=now,
        )
    return order
