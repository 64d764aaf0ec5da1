"""Refunds, whole or in part (https://docs.stripe.com/api/refunds).

They succeed at once, except with the test cards for it (https://docs.stripe.com/testing#refunds):
a pending one has taken nothing from the balance yet, and one that fails brings the money back.
"""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.money import written
from portal.local.payments.params import (
    EXPAND,
    PAGE,
    Hash,
    Integer,
    Metadata,
    Range,
    Text,
    merge_metadata,
)
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id

from . import payment_methods
from .balance import book

CREATE = Hash(
    {
        **EXPAND,
        "amount": Integer(min=1),
        "charge": Text(),
        "metadata": Metadata(),
        "payment_intent": Text(),
        "reason": Text(choices=("duplicate", "fraudulent", "requested_by_customer")),
    }
)
RETRIEVE = Hash(EXPAND)
UPDATE = Hash({**EXPAND, "metadata": Metadata()})
LIST = Hash({**PAGE, "charge": Text(), "created": Range(), "payment_intent": Text()})
OUTCOMES = ("succeeded", "failed")
_DECIDED_AFTER = 60  # seconds


def create(tx: Transaction, params: dict[str, Any]) -> Object:
    charge = _charge(tx, params)
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise ApiError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = params.get("amount", left)
    currency = charge["currency"]
    if amount > left:
        raise ApiError(
            f"Refund amount ({written(amount, currency)}) is greater than unrefunded amount on "
            f"charge ({written(left, currency)})",
            param="amount",
        )
    method = tx.get("payment_method", charge["payment_method"], param="charge")
    outcome = payment_methods.card_of(method).refund
    refund: Object = {
        "id": new_id("re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": tx.now,
        "currency": currency,
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": params.get("metadata") or {},
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if outcome == "succeeded" else "succeeded",
        "transfer_reversal": None,
    }
    if refund["status"] == "pending":
        refund["pending_reason"] = "processing"
    else:
        _book(tx, refund)
    if outcome:
        tx.later(refund["id"], outcome, after=_DECIDED_AFTER)
    tx.save(refund)
    before = {key: charge[key] for key in ("amount_refunded", "refunded")}
    _count(tx, charge, amount)
    tx.emit("refund.created", refund)
    tx.emit("charge.refunded", charge, before)
    return refund


def settle(tx: Transaction, refund: Object, outcome: str) -> None:
    """The money arrived, or the bank sends it back, be it after it arrived.

    Raises ApiError where that cannot be.
    """
    before = {"status": refund["status"]}
    possible = ["pending"] if outcome == "succeeded" else ["pending", "succeeded"]
    if refund["status"] not in possible:
        raise ApiError(f"Refund {refund['id']} has a status of {refund['status']}.", param="id")
    refund["status"] = outcome
    refund.pop("pending_reason", None)
    if outcome == "succeeded":
        _book(tx, refund)
    else:
        refund["failure_reason"] = "expired_or_canceled_card"
        if refund["balance_transaction"]:
            entry = book(
                tx,
                refund,
                refund["amount"],
                type="refund_failure",
                description="REFUND FAILURE",
                at_once=True,
            )
            refund["failure_balance_transaction"] = entry["id"]
        _count(tx, tx.get("charge", refund["charge"]), -refund["amount"])
    tx.save(refund)
    if outcome == "failed":
        tx.emit("refund.failed", refund)
    for type in ("refund.updated", "charge.refund.updated"):
        tx.emit(type, refund, before)


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("refund", id)


def update(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    refund = tx.get("refund", id)
    if "metadata" in params:
        before = refund["metadata"]
        refund["metadata"] = merge_metadata(before, params["metadata"])
        tx.save(refund)
        for type in ("refund.updated", "charge.refund.updated"):
            tx.emit(type, refund, {"metadata": before})
    return refund


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "charge", "payment_intent")
    return page(tx, "refund", "/v1/refunds", params, equal=equal)


def _book(tx: Transaction, refund: Object) -> None:
    entry = book(tx, refund, -refund["amount"], type="refund", description="REFUND FOR CHARGE")
    refund["balance_transaction"] = entry["id"]


def _count(tx: Transaction, charge: Object, amount: int) -> None:
    """Count so much more of the charge as paid back, or less."""
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    tx.save(charge)


def _charge(tx: Transaction, params: dict[str, Any]) -> Object:
    named = [name for name in ("charge", "payment_intent") if params.get(name)]
    if len(named) != 1:
        raise ApiError(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            param="payment_intent",
            code=None if named else "parameter_missing",
        )
    if named == ["charge"]:
        charge = tx.get("charge", params["charge"], param="charge")
    else:
        intent = tx.get("payment_intent", params["payment_intent"], param="payment_intent")
        if intent["status"] != "succeeded":
            raise ApiError(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge = tx.get("charge", intent["latest_charge"], param="charge")
    if not charge["paid"]:
        raise ApiError(f"Charge {charge['id']} is not paid, so it cannot be refunded.")
    disputes = tx.select("dispute", equal={"charge": charge["id"]})
    if not all(dispute["is_charge_refundable"] for dispute in disputes):
        raise ApiError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    return charge
