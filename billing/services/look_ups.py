"""Look up at Stripe what an event, or a movement of money, is about, and settle that.

Settling is idempotent, so it does no harm that several lead to the same.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from billing import payments
from billing.models import EventStatus, Order, Payment, Refund
from billing.models.balance import DISPUTES, REFUNDS
from billing.payments import StripeRefund
from billing.services.adopted_refunds import refund_adopt
from billing.services.attempts import payment_check, session_check
from billing.services.disputes import dispute_settle
from billing.services.fulfilment import order_charged, order_decline, order_settle
from billing.services.intents import orders_of, payment_of
from billing.services.order_refunds import order_refund_check
from billing.services.refunds import refund_settle
from billing.services.top_up import top_up_settle


def movement_settle(*, source_id: str, payment_intent_id: str, now: datetime) -> EventStatus:
    """Do what the events about money that moved would have asked for, had they arrived.

    `source_id` is Stripe's charge, refund or dispute. Raise PaymentError.
    """
    if source_id.startswith(REFUNDS):
        return refunds_note([payments.refund_get(refund_id=source_id)], now)
    if source_id.startswith(DISPUTES):
        return dispute_look_up(source_id, now)
    return _charge_look_up(payment_intent_id, now)


def _charge_look_up(payment_intent_id: str, now: datetime) -> EventStatus:
    """Settle what a PaymentIntent has paid, whichever events of it have come."""
    intent = payments.intent_get(intent_id=payment_intent_id)
    order = _order(intent.metadata.get("order", ""))
    if order is not None and order.checkout_session_id:  # which knows the card too
        session_look_up(order.checkout_session_id, now)
    if order is not None and intent.status == "succeeded" and not order.is_top_up:
        order_charged(order=order, intent=intent, now=now)
        return EventStatus.PROCESSED
    return intent_look_up(payment_intent_id, now)


def names_ours(metadata: dict[str, str]) -> bool:
    """Say whether this names an order, an invoice or a refund as we do, be it there or not."""
    return any(_uuid(metadata.get(name, "")) for name in ("order", "invoice", "refund"))


def session_look_up(session_id: str, now: datetime) -> EventStatus:
    """Settle what this very session is for, whether or not we had noted that it is its own."""
    checkout = payments.checkout_get(session_id=session_id)
    payment = _payment(checkout.metadata)
    if payment is not None:
        session_check(payment=payment, checkout=checkout, now=now)
        return EventStatus.PROCESSED
    order = _order(checkout.metadata.get("order", ""))
    if order is None:
        return EventStatus.IGNORED
    order_settle(order=order, checkout=checkout, now=now)
    return EventStatus.PROCESSED


def intent_look_up(intent_id: str, now: datetime) -> EventStatus:
    """Settle what this PaymentIntent is for; note of an order why the bank declined it."""
    intent = payments.intent_get(intent_id=intent_id)
    payment = _payment(intent.metadata)
    if payment is not None and payment.checkout_session_id:  # the session knows the card too
        return session_look_up(payment.checkout_session_id, now)
    if payment is not None:
        payment_check(payment=payment, intent=intent, now=now)
        return EventStatus.PROCESSED
    order = _order(intent.metadata.get("order", ""))
    if order is None:
        return EventStatus.IGNORED
    if order.is_top_up:
        top_up_settle(order=order, intent=intent, now=now)
    elif intent.decline_code and intent.status != "succeeded":
        order_decline(order=order, code=intent.decline_code, message=intent.decline_message)
    return EventStatus.PROCESSED


def dispute_look_up(dispute_id: str, now: datetime) -> EventStatus:
    """Note a dispute; where its payment is not known to have succeeded yet, that first."""
    found = payments.dispute_get(dispute_id=dispute_id)
    if dispute_settle(found=found, now=now):
        return EventStatus.PROCESSED
    if found.payment_intent_id:
        _charge_look_up(found.payment_intent_id, now)
    return EventStatus.PROCESSED if dispute_settle(found=found, now=now) else EventStatus.IGNORED


def refunds_note(found: Iterable[StripeRefund], now: datetime) -> EventStatus:
    """Settle refunds of what was paid to us, also those that somebody made in Stripe's dashboard;
    where the payment is not known to have succeeded yet, that first.
    """
    status = EventStatus.IGNORED
    for one in found:
        is_ours = _refund_note(one, now)
        if not is_ours and one.payment_intent_id:
            _charge_look_up(one.payment_intent_id, now)
            is_ours = _refund_note(one, now)
        status = EventStatus.PROCESSED if is_ours else status
    return status


def _refund_note(found: StripeRefund, now: datetime) -> bool:
    """Note what Stripe says of a refund; return whether it is of a payment of ours."""
    uuid = _uuid(found.metadata.get("refund", ""))
    mine = Refund.objects.filter(uuid=uuid, stripe_id__in=("", found.id)) if uuid else None
    if mine is not None and (refund := mine.select_related("payment").first()):
        refund_settle(refund=refund, found=found, now=now)
        return True
    if payment := payment_of(found.payment_intent_id):
        refund_adopt(payment=payment, found=found, now=now)
        return True
    orders = list(orders_of(found.payment_intent_id))
    for order in orders:
        order_refund_check(order=order, told=found, now=now)
    return bool(orders)


def _payment(metadata: dict[str, str]) -> Payment | None:
    """Return the attempt to pay an invoice that this metadata names."""
    invoice_uuid = _uuid(metadata.get("invoice", ""))
    attempt = metadata.get("attempt", "")
    if not (invoice_uuid and attempt.isdecimal()):
        return None
    return Payment.objects.filter(invoice__uuid=invoice_uuid, attempt=int(attempt)).first()


def _order(text: str) -> Order | None:
    uuid = _uuid(text)
    return Order.objects.filter(uuid=uuid).first() if uuid else None


def _uuid(text: str) -> UUID | None:
    """Read one of our UUIDs. Others who use the Stripe account write what they like."""
    try:
        return UUID(text)
    except ValueError:
        return None
