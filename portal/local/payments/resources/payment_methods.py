"""Payment methods: saved cards (https://docs.stripe.com/api/payment_methods).

Two private notes: `_card`, the test card's token, and `_set_up`, whether the cardholder has been
authenticated for later use without being there.
"""

from typing import Any

from portal.local.payments.cards import Card, by_token
from portal.local.payments.errors import ApiError, missing
from portal.local.payments.params import EXPAND, PAGE, Hash, Text
from portal.local.payments.present import page
from portal.local.payments.store import Object, Transaction, new_id

RETRIEVE = Hash(EXPAND)
LIST = Hash({**PAGE, "customer": Text(required=True), "type": Text(choices=("card",))})
LIST_FOR_CUSTOMER = Hash({**PAGE, "type": Text(choices=("card",))})
ATTACH = Hash({**EXPAND, "customer": Text(required=True)})
_TEST_EXPIRY_YEARS = 5


def create(
    tx: Transaction,
    card: Card,
    *,
    name: str | None = None,
    email: str | None = None,
    expiry: tuple[int, int] | None = None,
) -> Object:
    """A new, unattached payment method; `expiry` is (month, year)."""
    month, year = expiry or (12, 1970 + tx.now // 31_556_952 + _TEST_EXPIRY_YEARS)
    method: Object = {
        "id": new_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
            "email": email,
            "name": name,
            "phone": None,
            "tax_id": None,
        },
        "card": card_details(card, month, year),
        "created": tx.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
        "_card": card.token,
        "_set_up": False,
    }
    tx.save(method)
    return method


def card_details(card: Card, month: int, year: int) -> Object:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": f"local{card.last4:0>11}",
        "funding": "credit",
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def resolve(tx: Transaction, id: str, *, param: str) -> Object:
    """The payment method of that id; a test token such as `pm_card_visa` makes a new one."""
    card = by_token(id)
    return create(tx, card) if card else tx.get("payment_method", id, param=param)


def card_of(method: Object) -> Card:
    card = by_token(method["_card"])
    if card is None:
        raise missing("payment_method", method["_card"], param="payment_method", status=400)
    return card


def attach(tx: Transaction, method: Object, customer: str) -> None:
    """Save the card for the customer; saving it again changes nothing."""
    if method["customer"] != customer:
        method["customer"] = customer
        tx.save(method)
        tx.emit("payment_method.attached", method)


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("payment_method", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    customer = params["customer"]
    tx.get("customer", customer, param="customer")
    equal = {"customer": customer}
    return page(tx, "payment_method", "/v1/payment_methods", params, equal=equal)


def list_for_customer(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    tx.get("customer", id)
    url = f"/v1/customers/{id}/payment_methods"
    return page(tx, "payment_method", url, params, equal={"customer": id})


def attach_to(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    customer = tx.get("customer", params["customer"], param="customer")
    card = by_token(id)
    method = create(tx, card) if card else tx.get("payment_method", id)
    card = card_of(method)
    if card.decline and not card.savable:
        raise card.decline.error()
    if method["customer"] not in {None, customer["id"]}:
        raise ApiError(
            "The payment method you provided has already been attached to a customer.",
            param="payment_method",
            code="payment_method_unexpected_state",
        )
    attach(tx, method, customer["id"])
    return method


def detach(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    method = tx.get("payment_method", id)
    former = method["customer"]
    if former is None:
        raise ApiError(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible.",
            param="payment_method",
            code="payment_method_unexpected_state",
        )
    method["customer"] = None
    tx.save(method)
    tx.emit("payment_method.detached", method, {"customer": former})
    customer = tx.get("customer", former)
    if customer["invoice_settings"]["default_payment_method"] == id:
        customer["invoice_settings"]["default_payment_method"] = None
        tx.save(customer)
    return method
