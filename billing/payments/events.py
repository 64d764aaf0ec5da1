"""What Stripe says has happened."""

from dataclasses import dataclass

import stripe
from django.conf import settings

from billing.payments.errors import BadSignature


@dataclass(frozen=True)
class Event:
    """A verified webhook event: what happened to which object, and whose order it says it is."""

    id: str
    type: str
    object_id: str


def event_verify(*, payload: bytes, signature: str) -> Event:
    """Return the event of a signed webhook. Raise BadSignature for any other.

    Only its ids are used: the object is fetched anew, since events come late and out of order.
    """
    try:
        event = stripe.Webhook.construct_event(payload, signature, settings.STRIPE_WEBHOOK_SECRET)
    except (ValueError, stripe.SignatureVerificationError) as error:
        raise BadSignature(str(error)) from error
    return Event(id=event.id, type=event.type, object_id=getattr(event.data.object, "id", ""))
