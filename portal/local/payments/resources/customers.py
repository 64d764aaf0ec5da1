"""Customers (https://docs.stripe.com/api/customers)."""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.params import (
    EXPAND,
    PAGE,
    Field,
    Hash,
    ListOf,
    Metadata,
    Range,
    Text,
    merge_metadata,
)
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id

_ADDRESS = Hash(
    {name: Text(max=500) for name in ("city", "country", "line1", "line2", "postal_code", "state")}
)
_FIELDS: dict[str, Field] = {
    **EXPAND,
    "address": _ADDRESS,
    "description": Text(),
    "email": Text(max=512),
    "invoice_settings": Hash({"default_payment_method": Text()}),
    "metadata": Metadata(),
    "name": Text(max=256),
    "phone": Text(max=20),
    "preferred_locales": ListOf(Text(blank=False, max=10)),
    "tax_exempt": Text(choices=("none", "exempt", "reverse")),
}
CREATE = Hash(_FIELDS)
UPDATE = Hash(_FIELDS)
RETRIEVE = Hash(EXPAND)
DELETE = Hash({})
LIST = Hash({**PAGE, "created": Range(), "email": Text(max=512)})


def create(tx: Transaction, params: dict[str, Any]) -> Object:
    id = new_id("cus_", 14)
    customer: Object = {
        "id": id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": tx.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    _apply(tx, customer, params)
    tx.save(customer)
    tx.emit("customer.created", customer)
    return customer


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("customer", id)


def update(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    customer = tx.get("customer", id)
    before = dict(customer)
    _apply(tx, customer, params)
    changed = {key: value for key, value in before.items() if customer[key] != value}
    if changed:
        tx.save(customer)
        tx.emit("customer.updated", customer, changed)
    return customer


def delete(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    """Delete a customer, and detach the saved cards. Nothing of it can be retrieved any more, where
    Stripe itself would say that it is deleted.
    """
    customer = tx.get("customer", id)
    for method in tx.select("payment_method", equal={"customer": id}):
        tx.save({**method, "customer": None})
    tx.remove(id)
    tx.emit("customer.deleted", customer)
    return {"id": id, "object": "customer", "deleted": True}


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "email")
    return page(tx, "customer", "/v1/customers", params, equal=equal)


def _apply(tx: Transaction, customer: Object, params: dict[str, Any]) -> None:
    given = {key: value for key, value in params.items() if key not in EXPAND}
    if "metadata" in given:
        given["metadata"] = merge_metadata(customer["metadata"], given["metadata"])
    if "address" in given:
        blank = dict.fromkeys(_ADDRESS.fields)
        given["address"] = {**blank, **(customer["address"] or {}), **given["address"]}
    if "invoice_settings" in given:
        default = given["invoice_settings"].get("default_payment_method")
        param = "invoice_settings[default_payment_method]"
        if default and tx.get("payment_method", default, param=param)["customer"] != customer["id"]:
            raise ApiError(
                f"The payment method {default} is not attached to the customer {customer['id']}.",
                param=param,
            )
        given["invoice_settings"] = {**customer["invoice_settings"], **given["invoice_settings"]}
    customer.update(given)
