"""Refunds, whole or in part (https://docs.stripe.com/api/refunds). They succeed at once."""

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
    refund: Object = {
        "id": new_id("re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": tx.now,
        "currency": currency,
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
        "status": "succeeded",
        "transfer_reversal": None,
    }
    entry = book(tx, refund, -amount, type="refund", description="REFUND FOR CHARGE")
    refund["balance_transaction"] = entry["id"]
    tx.save(refund)
    before = {key: charge[key] for key in ("amount_refunded", "refunded")}
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    tx.save(charge)
    tx.emit("refund.created", refund)
    tx.emit("charge.refunded", charge, before)
    return refund


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
    return charge
