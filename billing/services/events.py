"""Stripe's webhooks: verified, stored once under their id, processed in any order, replayable.

An event is only a hint. What it is about is fetched anew, so that a late, doubled or reordered
event can do no harm, and settling an order or payment is idempotent in itself.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from billing import payments
from billing.models import EventStatus, StripeEvent
from billing.models.payments import EVENT_LEFT
from billing.services.look_ups import (
    dispute_look_up,
    intent_look_up,
    refunds_note,
    session_look_up,
)
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
        return session_look_up(event.object_id, now)
    if event.type.startswith("payment_intent."):
        return intent_look_up(event.object_id, now)
    if event.type == "charge.refunded":
        return refunds_note(payments.refunds_of(charge_id=event.object_id), now)
    if event.type.startswith(("refund.", "charge.refund.")):
        return refunds_note([payments.refund_get(refund_id=event.object_id)], now)
    if event.type.startswith("charge.dispute."):
        return dispute_look_up(event.object_id, now)
    return EventStatus.IGNORED


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
