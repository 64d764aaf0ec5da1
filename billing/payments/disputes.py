"""Disputes: a cardholder has asked their bank for the money back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from billing.payments.client import call, listed, stripe_client


@dataclass(frozen=True)
class StripeDispute:
    """A dispute; amounts in minor units. `status` and `reason` are Stripe's
    (https://docs.stripe.com/api/disputes/object).

    `withdrawn` is what was taken from us, `reinstated` what came back: less where it was won in
    part. Its balance transactions say so; where Stripe settles in another currency, that is taken
    to be all of it.
    """

    id: str
    status: str
    reason: str
    amount: int
    currency: str
    payment_intent_id: str
    opened_at: datetime
    evidence_due_by: datetime | None
    withdrawn: int
    reinstated: int


def dispute_get(*, dispute_id: str) -> StripeDispute:
    """Return the dispute as it is now."""
    return _dispute_state(
        call("get dispute", lambda: stripe_client().v1.disputes.retrieve(dispute_id))
    )


def disputes_since(*, since: datetime) -> Iterator[StripeDispute]:
    """Yield the disputes that were opened from `since` on, the newest first."""
    params: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100}
    found = listed("list disputes", lambda: stripe_client().v1.disputes.list(params))
    return map(_dispute_state, found)


def payment_page(*, payment_intent_id: str) -> str:
    """Return the address of a payment in Stripe's dashboard, where its dispute is answered.

    The mode is our key's, a secret one (`sk_`) or a restricted one (`rk_`).
    """
    is_test = settings.STRIPE_SECRET_KEY.startswith(("sk_test_", "rk_test_"))
    mode = "test/" if is_test else ""
    return f"https://dashboard.stripe.com/{mode}payments/{payment_intent_id}"


def _dispute_state(dispute: Any) -> StripeDispute:
    due_by = dispute.evidence_details.due_by
    return StripeDispute(
        id=dispute.id,
        status=dispute.status,
        reason=dispute.reason,
        amount=dispute.amount,
        currency=dispute.currency.upper(),
        payment_intent_id=dispute.payment_intent or "",
        opened_at=datetime.fromtimestamp(dispute.created, UTC),
        evidence_due_by=datetime.fromtimestamp(due_by, UTC) if due_by else None,
        withdrawn=_moved(dispute, -1),
        reinstated=_moved(dispute, 1),
    )


def _moved(dispute: Any, sign: int) -> int:
    """Return how much was withdrawn (-1) or reinstated (1), in the dispute's currency."""
    moves = [one for one in dispute.balance_transactions if one.amount * sign > 0]
    if any(one.currency != dispute.currency for one in moves):
        return int(dispute.amount)
    return sum(abs(one.amount) for one in moves)
