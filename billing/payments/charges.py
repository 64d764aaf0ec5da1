"""Charges of a saved card, without its holder."""

from dataclasses import dataclass
from typing import Any

from billing.payments.client import call, decline_of, listed, stripe_client
from billing.payments.errors import PaymentRefused


@dataclass(frozen=True)
class IntentState:
    """A PaymentIntent; `amount` in minor units, `metadata` what we gave it."""

    id: str
    status: str
    amount: int
    currency: str
    metadata: dict[str, str]
    decline_code: str
    decline_message: str


def intent_create(
    *,
    customer_id: str,
    payment_method_id: str,
    currency: str,
    amount: int,
    description: str,
    metadata: dict[str, str],
    idempotency_key: str,
) -> IntentState:
    """Charge a saved card without its holder; the same charge in a repeat of the same key.

    Raise PaymentDeclined, or AuthenticationNeeded where the bank wants the cardholder.
    """
    params: Any = {
        "customer": customer_id,
        "payment_method": payment_method_id,
        "currency": currency.lower(),
        "amount": amount,
        "description": description,
        "metadata": metadata,
        "allowed_payment_method_types": ["card"],
        "off_session": True,
        "confirm": True,
    }
    intent = call(
        "charge",
        lambda: stripe_client().v1.payment_intents.create(
            params, options={"idempotency_key": idempotency_key}
        ),
    )
    return _intent_state(intent)


def intent_get(*, intent_id: str) -> IntentState:
    """Return the PaymentIntent as it is now."""
    return _intent_state(
        call("get payment", lambda: stripe_client().v1.payment_intents.retrieve(intent_id))
    )


def intent_cancel(*, intent_id: str) -> IntentState:
    """Cancel a PaymentIntent; where it cannot be any more, return it as it is."""
    try:
        return _intent_state(
            call("cancel payment", lambda: stripe_client().v1.payment_intents.cancel(intent_id))
        )
    except PaymentRefused:
        return intent_get(intent_id=intent_id)


def intent_find(*, customer_id: str, metadata: dict[str, str]) -> IntentState | None:
    """Return the customer's newest PaymentIntent that carries this metadata."""
    params: Any = {"customer": customer_id, "limit": 100}
    for intent in listed("list payments", lambda: stripe_client().v1.payment_intents.list(params)):
        if metadata.items() <= intent.metadata.to_dict().items():
            return _intent_state(intent)
    return None


def _intent_state(intent: Any) -> IntentState:
    code, message = decline_of(intent.last_payment_error)
    return IntentState(
        id=intent.id,
        status=intent.status,
        amount=intent.amount,
        currency=intent.currency.upper(),
        metadata=intent.metadata.to_dict() if intent.metadata else {},
        decline_code=code,
        decline_message=message,
    )
