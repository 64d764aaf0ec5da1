"""Stripe's balance: each movement of money on it is a balance transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from billing.payments.client import call, listed, stripe_client
from billing.payments.disputes import dispute_moved

# What moves all of a charge, refund or dispute, so that it may be exchanged.
_MOVED = (
    "adjustment",
    "charge",
    "payment",
    "payment_failure_refund",
    "payment_refund",
    "payment_reversal",
    "refund",
    "refund_failure",
)


@dataclass(frozen=True)
class StripeTransaction:
    """A balance transaction (https://docs.stripe.com/api/balance_transactions/object).

    `amount`, `fee` and `net` are in minor units of `currency`, what the account is settled in. The
    charge, refund or dispute that it is of may be in another one: `source_amount` is what moved,
    in that, with the sign of `amount`. `metadata` is its source's: a charge has the
    PaymentIntent's.
    """

    id: str
    type: str
    currency: str
    amount: int
    fee: int
    net: int
    source_id: str
    source_currency: str
    source_amount: int
    payment_intent_id: str
    metadata: dict[str, str]
    created_at: datetime
    available_on: datetime


def transactions_since(*, since: datetime) -> Iterator[StripeTransaction]:
    """Yield the balance transactions that were made from `since` on, the newest first."""
    created = {"gte": int(since.timestamp())}
    params: Any = {"created": created, "limit": 100, "expand": ["data.source"]}
    return map(_transaction, _listed(params))


class PayoutStatus(StrEnum):
    """Whether it is known which transactions a payout paid out: its `reconciliation_status`
    (https://docs.stripe.com/api/payouts/object).

    Stripe finds out for automatic payouts, in a while; for manual and instant ones never.
    """

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    NOT_APPLICABLE = "not_applicable"


def payout_status(*, payout_id: str) -> str:
    """Return a PayoutStatus, or what Stripe may say one day besides those."""
    payout = call("get payout", lambda: stripe_client().v1.payouts.retrieve(payout_id))
    return str(payout.reconciliation_status)


def transactions_of(*, payout_id: str) -> Iterator[str]:
    """Yield the ids of the transactions that a payout paid out, its own among them.

    All of them only once it is completed. Raise PaymentRefused for a manual one.
    """
    return (entry.id for entry in _listed({"payout": payout_id, "limit": 100}))


def _listed(params: Any) -> Iterator[Any]:
    return listed(
        "list balance transactions",
        lambda: stripe_client().v1.balance_transactions.list(params),
    )


def _transaction(entry: Any) -> StripeTransaction:
    source, currency = entry.source, entry.currency.upper()
    metadata = getattr(source, "metadata", None)
    source_currency, source_amount = _exchanged(entry) or (currency, entry.amount)
    return StripeTransaction(
        id=entry.id,
        type=entry.type,
        currency=currency,
        amount=entry.amount,
        fee=entry.fee,
        net=entry.net,
        source_id=source if isinstance(source, str) else getattr(source, "id", ""),
        source_currency=source_currency,
        source_amount=source_amount,
        payment_intent_id=getattr(source, "payment_intent", None) or "",
        metadata=metadata.to_dict() if metadata else {},
        created_at=datetime.fromtimestamp(entry.created, UTC),
        available_on=datetime.fromtimestamp(entry.available_on, UTC),
    )


def _exchanged(entry: Any) -> tuple[str, int] | None:
    """Return what moved in another currency than it was settled in; None where it was in that.

    Only then is it the whole of the source's: a fee of a dispute, say, is less than that. So may be
    what comes back of a dispute.
    """
    currency = getattr(entry.source, "currency", None) or entry.currency
    amount = getattr(entry.source, "amount", None)
    if currency == entry.currency or amount is None or entry.type not in _MOVED:
        return None
    if entry.source.object == "dispute":
        return currency.upper(), dispute_moved(entry.source, entry)
    return currency.upper(), amount if entry.amount >= 0 else -amount
