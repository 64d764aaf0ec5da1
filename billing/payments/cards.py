"""Saved cards: what may be shown of one, and its end."""

from dataclasses import dataclass
from typing import Any

from billing.payments.client import call, stripe_client
from billing.payments.errors import PaymentRefused


@dataclass(frozen=True)
class Card:
    """What may be shown of a saved card; `fingerprint` is the same for the same number."""

    payment_method_id: str
    brand: str
    last_four: str
    exp_month: int
    exp_year: int
    fingerprint: str


def card_of(method: Any) -> Card | None:
    card = getattr(method, "card", None)
    if card is None:
        return None
    return Card(
        method.id, card.brand, card.last4, card.exp_month, card.exp_year, card.fingerprint or ""
    )


def card_detach(*, payment_method_id: str) -> None:
    """Take a saved card away from its customer, so that nobody can charge it again.

    One that is detached, or unknown to Stripe, is as good.
    """
    try:
        call("detach card", lambda: stripe_client().v1.payment_methods.detach(payment_method_id))
    except PaymentRefused as refusal:
        if refusal.code == "resource_missing":
            return
        method = call(
            "get card", lambda: stripe_client().v1.payment_methods.retrieve(payment_method_id)
        )
        if method.customer is not None:
            raise
