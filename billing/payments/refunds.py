"""Refunds of charges."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from billing.payments.client import call, listed, stripe_client


@dataclass(frozen=True)
class StripeRefund:
    """A refund; `amount` in minor units. `failure_reason` is Stripe's code for why it failed,
    `reason` what was chosen in Stripe's dashboard.
    """

    id: str
    status: str
    amount: int
    metadata: dict[str, str]
    failure_reason: str
    payment_intent_id: str
    reason: str


def refund_create(
    *, payment_intent_id: str, amount: int, metadata: dict[str, str], idempotency_key: str
) -> StripeRefund:
    """Pay so much of it back, in minor units; the same refund in a repeat of the same key."""
    params: Any = {"payment_intent": payment_intent_id, "amount": amount, "metadata": metadata}
    options: Any = {"idempotency_key": idempotency_key}
    return _refund_state(
        call("refund", lambda: stripe_client().v1.refunds.create(params, options=options))
    )


def refund_get(*, refund_id: str) -> StripeRefund:
    """Return the refund as it is now."""
    return _refund_state(call("get refund", lambda: stripe_client().v1.refunds.retrieve(refund_id)))


def refund_find(*, payment_intent_id: str, metadata: dict[str, str]) -> StripeRefund | None:
    """Return the newest refund of a PaymentIntent that carries this metadata."""
    found = _refunds({"payment_intent": payment_intent_id})
    return next((one for one in found if metadata.items() <= one.metadata.items()), None)


def refunds_of(*, charge_id: str) -> list[StripeRefund]:
    """Return the refunds of a charge, the newest first."""
    return list(_refunds({"charge": charge_id}))


def refunds_of_intent(*, payment_intent_id: str) -> list[StripeRefund]:
    """Return the refunds of a PaymentIntent, the newest first."""
    return list(_refunds({"payment_intent": payment_intent_id}))


def _refunds(of: dict[str, str]) -> Iterator[StripeRefund]:
    params: Any = {**of, "limit": 100}
    found = listed("list refunds", lambda: stripe_client().v1.refunds.list(params))
    return map(_refund_state, found)


def _refund_state(refund: Any) -> StripeRefund:
    return StripeRefund(
        id=refund.id,
        status=refund.status,
        amount=refund.amount,
        metadata=refund.metadata.to_dict() if refund.metadata else {},
        failure_reason=getattr(refund, "failure_reason", None) or "",
        payment_intent_id=refund.payment_intent or "",
        reason=refund.reason or "",
    )
