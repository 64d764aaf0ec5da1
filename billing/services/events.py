"""Stripe's webhooks: verified, stored once under their id, processed in any order, replayable.

An event is only a hint. What it is about is fetched anew, so that a late, doubled or reordered
event can do no harm, and settling an order or payment is idempotent in itself.
"""

from datetime import datetime

from django.db import transaction

from billing import payments
from billing.models import EventStatus, Order, Payment, StripeEvent
from billing.services.checkout import order_check
from billing.services.collect import payment_check
from billing.services.orders import order_decline
from tenants import queue


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


def event_process(*, event: StripeEvent, now: datetime) -> EventStatus:
    """Do what an event asks for, and note what came of it. Raise PaymentError, noted as well."""
    try:
        status = _process(event, now)
    except payments.PaymentError as error:
        StripeEvent.objects.filter(pk=event.pk).update(status=EventStatus.FAILED, error=str(error))
        raise
    StripeEvent.objects.filter(pk=event.pk).update(status=status, processed_at=now, error="")
    return status


def _process(event: StripeEvent, now: datetime) -> EventStatus:
    if event.type.startswith("checkout.session."):
        return _process_session(event.object_id, now)
    if event.type.startswith("payment_intent."):
        return _process_intent(event.object_id, now)
    return EventStatus.IGNORED


def _process_session(session_id: str, now: datetime) -> EventStatus:
    order = Order.objects.filter(checkout_session_id=session_id).select_related("tenant").first()
    if order is None:  # made at Stripe, and we died before noting its id
        uuid = payments.checkout_get(session_id=session_id).order
        order = Order.objects.filter(uuid=uuid).select_related("tenant").first() if uuid else None
        if order is None:
            return EventStatus.IGNORED
        if not order.checkout_session_id:
            order.checkout_session_id = session_id
            order.save(update_fields=["checkout_session_id"])
    order_check(order=order, now=now)
    return EventStatus.PROCESSED


def _process_intent(intent_id: str, now: datetime) -> EventStatus:
    intent = payments.intent_get(intent_id=intent_id)
    if "invoice" in intent.metadata:
        payment = Payment.objects.filter(
            invoice__uuid=intent.metadata["invoice"], attempt=int(intent.metadata["attempt"])
        ).first()
        if payment is None:
            return EventStatus.IGNORED
        payment_check(payment=payment, intent=intent, now=now)
        return EventStatus.PROCESSED
    if "order" in intent.metadata:
        if intent.decline_code and intent.status != "succeeded":
            order_decline(
                order_uuid=intent.metadata["order"],
                code=intent.decline_code,
                message=intent.decline_message,
            )
        return EventStatus.PROCESSED
    return EventStatus.IGNORED


def events_waiting(*, limit: int = 200) -> list[StripeEvent]:
    """Return the events that were stored and not dealt with: what a lost task left."""
    waiting = StripeEvent.objects.filter(status__in=[EventStatus.RECEIVED, EventStatus.FAILED])
    return list(waiting.order_by("id")[:limit])
