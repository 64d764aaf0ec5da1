"""Stripe's webhooks: verified, stored once under their id, processed in any order, replayable.

An event is only a hint. What it is about is fetched anew, so that a late, doubled or reordered
event can do no harm, and settling an order or payment is idempotent in itself.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from billing import payments
from billing.models import EventStatus, Order, Payment, Refund, StripeEvent
from billing.models.balance import DISPUTES, REFUNDS
from billing.models.payments import EVENT_LEFT
from billing.payments import StripeRefund
from billing.services.adopted_refunds import refund_adopt
from billing.services.attempts import payment_check, session_check
from billing.services.disputes import dispute_settle
from billing.services.fulfilment import order_charged, order_decline, order_settle
from billing.services.intents import orders_of, payment_of
from billing.services.order_refunds import order_refund_check
from billing.services.refunds import refund_settle
from billing.services.top_up import top_up_settle
from tenants import queue
from tenants.errors import Refused
from tenants.models import User
from tenants.services import audit_record


def webhook_receive(*, payload: bytes, signature: str, now: datetime) -> StripeEvent:
    """Verify and store an event, once, and queue its processing on commit.

    Raise payments.BadSignature.
    """
    event = payments.event_verify(payload=payload, signature=signature)
    with transaction.atomic():
        stored, is_new = StripeEvent.objects.get_or_create(
            event_id=event.id,
            defaults={"type": event.type, "object_id": event.object_id, "received_at": now},
        )
        if is_new:
            queue.on_commit("billing.tasks.event_process", stored.pk, queue="default")
    return stored


# What the sweep asks Stripe for: 20 types at most, by their exact names.
HANDLED = (
    "checkout.session.completed",
    "checkout.session.expired",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.requires_action",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refunded",
    "charge.refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
GIVE_UP_AFTER = timedelta(days=3)  # as Stripe does; an operator can still replay
_NOT_IGNORED: dict[str, Any] = {"ignored_reason": "", "ignored_by": None}


def event_process(*, event: StripeEvent, now: datetime) -> EventStatus:
    """Do what an event asks for, and note what came of it. Raise PaymentError, noted as well.

    Where a repeat may help the event stays received, and the sweep takes it again. That an operator
    had ignored it is over then.
    """
    try:
        status = _process(event, now)
    except payments.PaymentError as error:
        StripeEvent.objects.filter(pk=event.pk).update(
            status=EventStatus.RECEIVED if error.retryable else EventStatus.FAILED,
            error=str(error),
            **_NOT_IGNORED,
        )
        raise
    StripeEvent.objects.filter(pk=event.pk).update(
        status=status, processed_at=now, error="", **_NOT_IGNORED
    )
    return status


@transaction.atomic
def event_ignore(*, event: StripeEvent, reason: str, actor: User, now: datetime) -> None:
    """Leave an event that failed as it is: no reconciliation tells of it any more.

    Its error stays, and who said so is in the audit trail. Raise Refused for any other.
    """
    failed = events_failed(now=now).filter(pk=event.pk)
    if not failed.update(
        status=EventStatus.IGNORED, ignored_reason=reason, ignored_by=actor
    ):  # by one statement: a replay may be at it
        raise Refused(_("It did not fail, or is taken again by itself."))
    audit_record(
        action="stripe_event.ignored", tenant=None, actor=actor, now=now, target=event.event_id,
        reason=reason,
    )  # fmt: skip


def _process(event: StripeEvent, now: datetime) -> EventStatus:
    if event.type.startswith("checkout.session."):
        return _process_session(event.object_id, now)
    if event.type.startswith("payment_intent."):
        return _process_intent(event.object_id, now)
    if event.type == "charge.refunded":
        return _process_refunds(payments.refunds_of(charge_id=event.object_id), now)
    if event.type.startswith(("refund.", "charge.refund.")):
        return _process_refunds([payments.refund_get(refund_id=event.object_id)], now)
    if event.type.startswith("charge.dispute."):
        return _process_dispute(event.object_id, now)
    return EventStatus.IGNORED


def movement_settle(*, source_id: str, payment_intent_id: str, now: datetime) -> EventStatus:
    """Do what the events about money that moved would have asked for, had they arrived.

    `source_id` is Stripe's charge, refund or dispute. Raise PaymentError.
    """
    if source_id.startswith(REFUNDS):
        return _process_refunds([payments.refund_get(refund_id=source_id)], now)
    if source_id.startswith(DISPUTES):
        return _process_dispute(source_id, now)
    return _process_charge(payment_intent_id, now)


def _process_charge(payment_intent_id: str, now: datetime) -> EventStatus:
    """Settle what a PaymentIntent has paid, whichever events of it have come."""
    intent = payments.intent_get(intent_id=payment_intent_id)
    order = _order(intent.metadata.get("order", ""))
    if order is not None and order.checkout_session_id:  # which knows the card too
        _process_session(order.checkout_session_id, now)
    if order is not None and intent.status == "succeeded" and not order.is_top_up:
        order_charged(order=order, intent=intent, now=now)
        return EventStatus.PROCESSED
    return _process_intent(payment_intent_id, now)


def names_ours(metadata: dict[str, str]) -> bool:
    """Say whether this names an order, an invoice or a refund as we do, be it there or not."""
    return any(_uuid(metadata.get(name, "")) for name in ("order", "invoice", "refund"))


def _process_session(session_id: str, now: datetime) -> EventStatus:
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


def _process_intent(intent_id: str, now: datetime) -> EventStatus:
    intent = payments.intent_get(intent_id=intent_id)
    payment = _payment(intent.metadata)
    if payment is not None and payment.checkout_session_id:  # the session knows the card too
        return _process_session(payment.checkout_session_id, now)
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


def _process_dispute(dispute_id: str, now: datetime) -> EventStatus:
    """Note a dispute; where its payment is not known to have succeeded yet, that first."""
    found = payments.dispute_get(dispute_id=dispute_id)
    if dispute_settle(found=found, now=now):
        return EventStatus.PROCESSED
    if found.payment_intent_id:
        _process_charge(found.payment_intent_id, now)
    return EventStatus.PROCESSED if dispute_settle(found=found, now=now) else EventStatus.IGNORED


def _process_refunds(found: Iterable[StripeRefund], now: datetime) -> EventStatus:
    """Settle refunds of what was paid to us, also those that somebody made in Stripe's dashboard;
    where the payment is not known to have succeeded yet, that first.
    """
    status = EventStatus.IGNORED
    for one in found:
        is_ours = _refund_note(one, now)
        if not is_ours and one.payment_intent_id:
            _process_charge(one.payment_intent_id, now)
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


def events_waiting(*, now: datetime, limit: int = 200) -> list[StripeEvent]:
    """Return the events that were stored and not dealt with: what a lost task left.

    Newest first, so that no number of events which fail again and again keeps a new one waiting.
    """
    waiting = StripeEvent.objects.filter(
        status=EventStatus.RECEIVED, received_at__gt=now - GIVE_UP_AFTER
    )
    return list(waiting.order_by("-id")[:limit])


def events_failed(*, now: datetime) -> QuerySet[StripeEvent]:
    """Return the events that nobody takes again but an operator."""
    is_given_up = Q(status=EventStatus.FAILED) | Q(received_at__lte=now - GIVE_UP_AFTER)
    return StripeEvent.objects.filter(EVENT_LEFT, is_given_up)  # so that the index is used
