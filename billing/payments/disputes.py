"""Disputes: a cardholder has asked their bank for the money back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from billing.payments.client import call, listed, stripe_client


@dataclass(frozen=True)
class StripeDispute:
    """A dispute; `amount` in minor units. `status` and `reason` are Stripe's
    (https://docs.stripe.com/api/disputes/object).

    Its balance transactions say whether the money was taken from us, and whether it came back.
    """

    id: str
    status: str
    reason: str
    amount: int
    currency: str
    payment_intent_id: str
    opened_at: datetime
    evidence_due_by: datetime | None
    is_withdrawn: bool
    is_reinstated: bool


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
    moved = [entry.amount for entry in dispute.balance_transactions]
    return StripeDispute(
        id=dispute.id,
        status=dispute.status,
        reason=dispute.reason,
        amount=dispute.amount,
        currency=dispute.currency.upper(),
        payment_intent_id=dispute.payment_intent or "",
        opened_at=datetime.fromtimestamp(dispute.created, UTC),
        evidence_due_by=datetime.fromtimestamp(due_by, UTC) if due_by else None,
        is_withdrawn=any(amount < 0 for amount in moved),
        is_reinstated=any(amount > 0 for amount in moved),
    )
