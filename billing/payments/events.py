"""What Stripe says has happened: by webhook, or asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe
from django.conf import settings

from billing.payments.client import listed, stripe_client
from billing.payments.errors import BadSignature


@dataclass(frozen=True)
class Event:
    """An event of Stripe's own telling: what happened to which object."""

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
    return _event(event)


def events_between(*, types: Sequence[str], since: datetime, until: datetime) -> Iterator[Event]:
    """Yield the events of these types (20 at most) that were made from `since` up to `until`.

    The newest come first. Stripe keeps them for 30 days (https://docs.stripe.com/api/events).
    """
    created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
    params: Any = {"types": list(types), "created": created, "limit": 100}
    return map(_event, listed("list events", lambda: stripe_client().v1.events.list(params)))


def _event(event: Any) -> Event:
    return Event(id=event.id, type=event.type, object_id=getattr(event.data.object, "id", ""))
