"""Money that an order brought in and that cannot be kept: it goes back, all of it, by itself.

That is an order which could not be delivered. Where more came in for an order than one payment, or
a bank sent back what was refunded, the money has an order of its own, that is to be refunded from
the first. So each order stands for one payment, and its books are those of one.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Max, Sum
from django.utils.translation import gettext as _

import tenants.services
from billing import balances, payments
from billing.models import Dispute, Order, OrderState, UnowedRefund
from billing.models.disputes import IS_UNSETTLED
from billing.money import display
from billing.services.intents import orders_of
from billing.services.ledger import order_held_post, order_refund_post, unowed_refund_post
from billing.services.set_offs import dispute_set_off
from tenants import queue

log = structlog.get_logger(__name__)

_FAILED = frozenset({"failed", "canceled"})  # of Stripe's, what a refund ends as that paid nothing


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

    Of a refund that failed, those that an operator makes at Stripe are taken. Raise PaymentError;
    what Stripe refuses is noted on the order first, and the next is another attempt: for a day
    Stripe answers the same under the same key. A repeat is harmless: Stripe is asked first what
    went back, and no more than what is missing does.
    """
    if order.state != OrderState.REFUND_DUE:
        return order
    if not order.payment_intent_id:  # nothing was paid
        Order.objects.filter(pk=order.pk, state=OrderState.REFUND_DUE).update(
            state=OrderState.REFUNDED
        )
        order.refresh_from_db()
        return order
    try:
        return _ask(order, now)
    except payments.PaymentRefused as refusal:
        reason = _("Stripe refused the refund: %(reason)s") % {"reason": refusal}
        due = Order.objects.filter(pk=order.pk, state=OrderState.REFUND_DUE, attempt=order.attempt)
        due.update(decline_message=reason[:300], attempt=order.attempt + 1)
        raise


def _ask(order: Order, now: datetime) -> Order:
    known = payments.refunds_of_intent(payment_intent_id=order.payment_intent_id)
    came_in, by_bank, _due = _so_far(order)
    on_its_way = sum(one.amount for one in known if one.status not in _FAILED)
    missing = came_in - by_bank - on_its_way
    if known and (order.refund_id or missing <= 0):
        return order_refund_settle(order=order, told=known[0], others=known[1:], now=now)
    if missing <= 0:  # a dispute that was lost meanwhile paid it back
        return order
    disputes = Dispute.objects.filter(payment_intent_id=order.payment_intent_id)
    if disputes.filter(IS_UNSETTLED).exists():  # how much it leaves is not known yet
        due = Order.objects.filter(pk=order.pk, state=OrderState.REFUND_DUE)
        due.update(decline_message=_("The payment is disputed."))
        order.refresh_from_db()
        return order
    made = payments.refund_create(
        payment_intent_id=order.payment_intent_id,
        amount=missing,
        metadata={"order": str(order.uuid)},
        idempotency_key=f"refund-{order.uuid}-{order.attempt}",
    )
    return order_refund_check(order=order, told=made, now=now)


def order_refund_check(*, order: Order, told: payments.StripeRefund, now: datetime) -> Order:
    """Note what Stripe says of one of an order's refunds, beside its others. Raise PaymentError."""
    others = payments.refunds_of_intent(payment_intent_id=order.payment_intent_id)
    return order_refund_settle(order=order, told=told, others=others, now=now)


@transaction.atomic
def order_refund_settle(
    *,
    order: Order,
    told: payments.StripeRefund,
    others: Sequence[payments.StripeRefund],
    now: datetime,
) -> Order:
    """Note what Stripe says of an order's refunds, the newest first, or the one that it told of: it
    is refunded once all of it went back, be it by a lost dispute. Idempotent.

    One that failed leaves the order to be refunded, and its money held, with the reason; so does
    one of a part, with what is missing. One that a bank sent back later, whichever of them, is due
    once more. What an operator refunded beside a dispute that paid it back, before or after all of
    it had gone back, is lost.
    """
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    found = {one.id: one for one in (*others, told)}
    newest = told if told.id not in {one.id for one in others} else others[0]
    if is_due := order.state == OrderState.REFUND_DUE:
        dispute_set_off(order=order, now=now)
    came_in, by_bank, due_already = _so_far(order)
    by_us = sum(one.amount for one in found.values() if one.status == "succeeded")
    missing = came_in - by_bank - by_us
    news = newest if is_due else told
    reason = ""
    if has_failed := news.status in _FAILED:
        code = news.failure_reason or news.status
        reason = _("The refund failed: %(reason)s") % {"reason": code}
        log.warning("order.refund_failed", order=str(order.uuid), reason=code)
    if 0 < missing < came_in:
        rest = _("Still to be paid back: %(amount)s") % {"amount": display(missing, order.currency)}
        reason = f"{rest}. {reason}".strip()
    if is_due:
        order.refund_id, order.decline_message = newest.id, reason
        if missing <= 0:
            order.decline_message = ""
            order.state, order.refunded_at = OrderState.REFUNDED, now
            held = balances.held(order=order)
            if not held:
                order.refund_id = ""  # no refund of ours paid it back
            unowed = _owe_no_more(order, -missing)
            order_refund_post(order=order, held=held, unowed=unowed, now=now)
            log.info("order.refunded", order=str(order.uuid))
        order.save(update_fields=["state", "refund_id", "refunded_at", "decline_message"])
    elif order.state == OrderState.REFUNDED and has_failed and missing > due_already:
        money_due_back(
            order=order,
            amount=missing - due_already,
            currency=order.currency,
            payment_intent_id=order.payment_intent_id,
            refund_id=told.id,
            reason=reason,
            now=now,
        )
    if order.state == OrderState.REFUNDED:
        _unowed_note(order, by_us, now)
    return order


def _unowed_note(order: Order, by_us: int, now: datetime) -> None:
    """Note what went back of a payment beside what was due, now that `by_us` did in all: a lost
    dispute has paid back the same.

    While one of its orders is due, that may be what its refund is for.
    """
    came_in, by_bank, due = _so_far(order)
    unowed = by_us + by_bank - came_in
    for one in orders_of(order.payment_intent_id).filter(state=OrderState.REFUNDED):
        if due or unowed <= 0:
            return
        if amount := _owe_no_more(one, unowed):
            unowed -= amount
            refund = UnowedRefund.objects.create(
                order=one, currency=one.currency, amount=amount, created_at=now
            )
            unowed_refund_post(refund=refund, now=now)
            tenants.services.audit_record(
                action="order.refunded_at_stripe",
                tenant=order.tenant,
                actor=None,
                now=now,
                target=str(one.uuid),
                amount=amount,
                currency=one.currency,
            )


def _owe_no_more(order: Order, amount: int) -> int:
    """Take back that disputes paid back what we owed, up to an amount; return how much that was."""
    left = amount
    for dispute in order.disputes.filter(owed_back__gt=0).order_by("id").select_for_update():
        by_us = min(left, dispute.owed_back)
        dispute.owed_back -= by_us
        dispute.save(update_fields=["owed_back"])
        left -= by_us
    return amount - left


def _so_far(order: Order) -> tuple[int, int, int]:
    """Return what an order's payment brought in, what of it lost disputes paid back, and what is
    due already. An order for what a bank sent back may be over a part of it.
    """
    orders = orders_of(order.payment_intent_id)
    came_in = orders.aggregate(most=Max("amount"))["most"]
    disputes = Dispute.objects.filter(payment_intent_id=order.payment_intent_id)
    by_bank = disputes.aggregate(total=Sum("owed_back", default=0))["total"]
    due = orders.filter(state=OrderState.REFUND_DUE)
    return came_in, by_bank, sum(balances.held(order=one) for one in due)
