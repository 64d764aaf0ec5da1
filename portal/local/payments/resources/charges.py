"""Charges, the attempts behind payment intents (https://docs.stripe.com/api/charges), and the
balance transactions that money moved leaves behind."""

from typing import Any

from portal.local.payments.errors import CardError
from portal.local.payments.money import fee
from portal.local.payments.params import EXPAND, PAGE, Hash, Range, Text
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id

RETRIEVE = Hash(EXPAND)
LIST = Hash({**PAGE, "created": Range(), "customer": Text(), "payment_intent": Text()})
LIST_BALANCE = Hash(
    {**PAGE, "created": Range(), "currency": Text(), "source": Text(), "type": Text()}
)
_AVAILABLE_AFTER = 2 * 24 * 3600


def charge(tx: Transaction, intent: Object, method: Object, error: CardError | None) -> Object:
    """Record one attempt on the card, refused if there is an `error`."""
    amount = intent["amount"]
    card = dict(method["card"])
    card.pop("generated_from")
    made: Object = {
        "id": new_id("ch_"),
        "object": "charge",
        "amount": amount,
        "amount_captured": 0 if error else amount,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": None,
        "captured": error is None,
        "created": tx.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": error.fields["code"] if error else None,
        "failure_message": str(error) if error else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(error),
        "paid": error is None,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": card, "type": "card"},
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "failed" if error else "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }
    if error is None:
        made["balance_transaction"] = book(tx, made, amount, fee(amount), "charge")
    tx.save(made)
    tx.emit("charge.failed" if error else "charge.succeeded", made)
    return made


def _outcome(error: CardError | None) -> Object:
    refused = error is not None
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if refused else "approved_by_network",
        "reason": error.fields.get("decline_code", error.fields["code"]) if error else None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not approve." if refused else "Payment complete.",
        "type": "issuer_declined" if refused else "authorized",
    }


def book(tx: Transaction, source: Object, amount: int, cost: int, type: str) -> str:
    """Move money on the balance; returns the balance transaction's id."""
    details = {"application": None, "description": "Processing fee", "type": "stripe_fee"}
    fees = [{"amount": cost, "currency": source["currency"], **details}] if cost else []
    entry: Object = {
        "id": new_id("txn_"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": tx.now + _AVAILABLE_AFTER,
        "balance_type": "payments",
        "created": tx.now,
        "currency": source["currency"],
        "description": source.get("description"),
        "exchange_rate": None,
        "fee": cost,
        "fee_details": fees,
        "net": amount - cost,
        "reporting_category": type,
        "source": source["id"],
        "status": "pending",
        "type": type,
    }
    tx.save(entry)
    id: str = entry["id"]
    return id


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("charge", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "customer", "payment_intent")
    return page(tx, "charge", "/v1/charges", params, equal=equal)


def retrieve_balance(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("balance_transaction", id)


def list_balance(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "currency", "source", "type")
    return page(tx, "balance_transaction", "/v1/balance_transactions", params, equal=equal)
