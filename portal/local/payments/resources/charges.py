"""Charges, the attempts behind payment intents (https://docs.stripe.com/api/charges)."""

from typing import Any

from portal.local.payments.errors import CardError
from portal.local.payments.money import fee
from portal.local.payments.params import EXPAND, PAGE, Hash, Range, Text
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id

from .balance import book

RETRIEVE = Hash(EXPAND)
LIST = Hash({**PAGE, "created": Range(), "customer": Text(), "payment_intent": Text()})


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
        entry = book(
            tx, made, amount, type="charge", fee=fee(amount), description=made["description"]
        )
        made["balance_transaction"] = entry["id"]
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


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("charge", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "customer", "payment_intent")
    return page(tx, "charge", "/v1/charges", params, equal=equal)
