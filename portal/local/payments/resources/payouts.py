"""Payouts, money that leaves for the bank (https://docs.stripe.com/api/payouts).

One is made by the API, or by a control as Stripe's schedule makes it: then it takes all that is
available in its currency, and its balance transactions are listed by it, its own among them: all of
them an hour later, as `reconciliation_status` says. (Stripe promises no time.) It arrives two days
later, unless a control says earlier what becomes of it; one that has arrived can still fail, as
real ones do.
"""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.money import check_currency
from portal.local.payments.params import (
    EXPAND,
    PAGE,
    Hash,
    Integer,
    Metadata,
    Range,
    Text,
)
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id

from .balance import available, book, sweep

CREATE = Hash(
    {
        **EXPAND,
        "amount": Integer(required=True, min=1),
        "currency": Text(required=True),
        "description": Text(),
        "metadata": Metadata(),
        "statement_descriptor": Text(max=22),
    }
)
RETRIEVE = Hash(EXPAND)
LIST = Hash({**PAGE, "arrival_date": Range(), "created": Range(), "status": Text()})
OUTCOMES = ("reconciled", "paid", "failed")
_RECONCILED_AFTER = 3600
_ARRIVES_AFTER = 2 * 24 * 3600


def create(tx: Transaction, params: dict[str, Any]) -> Object:
    check_currency(params["currency"])
    if params["amount"] > available(tx, params["currency"]):
        raise ApiError(
            "You have insufficient funds in your Stripe account for this transfer. Your card "
            "balance is too low.",
            code="balance_insufficient",
            param="amount",
        )
    given = chosen(params, "amount", "currency", "description", "statement_descriptor")
    return _make(tx, metadata=params.get("metadata") or {}, **given)


def create_automatic(tx: Transaction, currency: str) -> Object:
    """What Stripe's schedule does. Raises ApiError where nothing is available."""
    check_currency(currency)
    amount = available(tx, currency)
    if amount <= 0:
        raise ApiError(f"Nothing is available to be paid out in {currency}.", param="currency")
    return _make(tx, amount=amount, currency=currency, automatic=True)


def settle(tx: Transaction, payout: Object, outcome: str) -> None:
    """What was paid out is known (`reconciled`), the money arrived (`paid`), or the bank sends it
    back (`failed`), be it after it arrived. The first comes before the others.

    Raises ApiError where that cannot be.
    """
    if outcome == "reconciled" and payout["reconciliation_status"] != "in_progress":
        raise ApiError(f"Payout {payout['id']} is not being reconciled.", param="id")
    if payout["reconciliation_status"] == "in_progress":
        _reconcile(tx, payout)
    if outcome == "reconciled":
        tx.later(payout["id"], "paid", after=payout["arrival_date"] - tx.now)
        return
    if payout["status"] not in (["pending"] if outcome == "paid" else ["pending", "paid"]):
        raise ApiError(f"Payout {payout['id']} has a status of {payout['status']}.", param="id")
    payout["status"] = outcome
    if outcome == "failed":
        entry = book(
            tx,
            payout,
            payout["amount"],
            type="payout_failure",
            category="payout_reversal",
            description="PAYOUT FAILURE",
            at_once=True,
        )
        payout.update(
            failure_balance_transaction=entry["id"],
            failure_code="account_closed",
            failure_message="The bank account has been closed.",
        )
    payout["trace_id"] = {"status": "unsupported", "value": None}
    tx.save(payout)
    tx.emit(f"payout.{outcome}", payout)


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("payout", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    ranges = chosen(params, "arrival_date", "created")
    equal = chosen(params, "status")
    return page(tx, "payout", "/v1/payouts", params, equal=equal, ranges=ranges)


def _make(tx: Transaction, *, automatic: bool = False, **given: Any) -> Object:
    payout: Object = {
        "id": new_id("po_1"),
        "object": "payout",
        "amount": 0,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": tx.now + _ARRIVES_AFTER,
        "automatic": automatic,
        "balance_transaction": None,
        "created": tx.now,
        "currency": "",
        "description": "STRIPE PAYOUT" if automatic else None,
        "destination": f"ba_1local_{given['currency']}",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
        **given,
    }
    entry = book(
        tx, payout, -payout["amount"], type="payout", description="STRIPE PAYOUT", at_once=True
    )
    payout["balance_transaction"] = entry["id"]
    tx.save(payout)
    tx.emit("payout.created", payout)
    if automatic:
        sweep(tx, payout["currency"], payout["id"])
        tx.later(payout["id"], "reconciled", after=_RECONCILED_AFTER)
    else:
        tx.later(payout["id"], "paid", after=_ARRIVES_AFTER)
    return payout


def _reconcile(tx: Transaction, payout: Object) -> None:
    payout["reconciliation_status"] = "completed"
    tx.save(payout)
    tx.emit("payout.reconciliation_completed", payout)
