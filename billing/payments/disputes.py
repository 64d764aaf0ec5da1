"""Disputes: a cardholder has asked their bank for the money back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from billing.money import rounded
from billing.payments.client import call, listed, stripe_client


@dataclass(frozen=True)
class StripeDispute:
    """A dispute; amounts in minor units. `status` and `reason` are Stripe's
    (https://docs.stripe.com/api/disputes/object).

    `withdrawn` is what was taken from us, `reinstated` what came back: less where it was won in
    part. Its balance transactions say so. `is_charge_refundable` says whether Stripe refunds the
    payment: of a dispute that is lost it does not say when, be it won in part.
    """

    id: str
    status: str
    reason: str
    amount: int
    currency: str
    payment_intent_id: str
    opened_at: datetime
    evidence_due_by: datetime | None
    is_charge_refundable: bool
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
        is_charge_refundable=dispute.is_charge_refundable,
        withdrawn=_moved(dispute, -1),
        reinstated=_moved(dispute, 1),
    )


def _moved(dispute: Any, sign: int) -> int:
    """Return how much was withdrawn (-1) or reinstated (1), in the dispute's currency."""
    moves = [one for one in dispute.balance_transactions if one.amount * sign > 0]
    return abs(sum(dispute_moved(dispute, one) for one in moves))


def dispute_moved(dispute: Any, entry: Any) -> int:
    """Return what one of its balance transactions moved of a dispute, in the dispute's currency,
    which need not be what Stripe settles in.

    What was taken is all that is disputed, and so is what comes back of one that is won. Of one
    that is lost a part may: such a part of what was taken as the two amounts say, each at its
    `exchange_rate` (https://docs.stripe.com/api/balance_transactions/object), since that moves.
    """
    if entry.currency == dispute.currency:
        return int(entry.amount)
    moves = dispute.balance_transactions
    is_rated = all(one.exchange_rate for one in moves)

    def worth(one: Any) -> Decimal:
        return Decimal(one.amount) / (Decimal(str(one.exchange_rate)) if is_rated else 1)

    is_of_taken = entry.amount < 0 or dispute.status == "lost"
    whole = sum(abs(worth(one)) for one in moves if (one.amount < 0) == is_of_taken)
    return min(rounded(dispute.amount * worth(entry) / whole), int(dispute.amount))
