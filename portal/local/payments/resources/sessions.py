"""Checkout Sessions in payment and setup mode (https://docs.stripe.com/api/checkout/sessions).

As at Stripe, a session in payment mode has no payment intent until somebody tries to pay, and a
session's url is gone once it is complete or expired. Private notes: `_line_items`, and `_intent`,
what its intent will be given.
"""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.money import check_amount, check_currency
from portal.local.payments.params import (
    EXPAND,
    METHOD_TYPES,
    PAGE,
    Field,
    Hash,
    Integer,
    ListOf,
    Metadata,
    Range,
    Text,
    Url,
)
from portal.local.payments.present import chosen, line_items, page
from portal.local.payments.store import Object, Transaction, new_id

from . import payment_intents, setup_intents

_PRICE_DATA = Hash(
    {
        "currency": Text(required=True),
        "product_data": Hash(
            {
                "description": Text(),
                "images": ListOf(Url(), max=8),
                "metadata": Metadata(),
                "name": Text(required=True),
            },
            required=True,
        ),
        "tax_behavior": Text(choices=("exclusive", "inclusive", "unspecified")),
        "unit_amount": Integer(required=True),
    },
    required=True,
)
_FIELDS: dict[str, Field] = {
    **EXPAND,
    **METHOD_TYPES,
    "cancel_url": Url(),
    "client_reference_id": Text(max=200),
    "currency": Text(),
    "customer": Text(),
    "customer_creation": Text(choices=("always", "if_required")),
    "customer_email": Text(max=800),
    "expires_at": Integer(),
    "line_items": ListOf(
        Hash({"price_data": _PRICE_DATA, "quantity": Integer(required=True, min=1, max=999_999)})
    ),
    "locale": Text(max=10),
    "metadata": Metadata(),
    "mode": Text(required=True, choices=("payment", "setup")),
    "payment_intent_data": Hash(
        {
            "description": Text(max=1000),
            "metadata": Metadata(),
            "receipt_email": Text(max=800),
            "setup_future_usage": Text(choices=("off_session", "on_session")),
            "statement_descriptor": Text(max=22),
            "statement_descriptor_suffix": Text(max=22),
        }
    ),
    "setup_intent_data": Hash({"description": Text(max=1000), "metadata": Metadata()}),
    "submit_type": Text(choices=("auto", "book", "donate", "pay")),
    "success_url": Url(required=True),
    "ui_mode": Text(choices=("hosted_page",)),
}
CREATE = Hash(_FIELDS)
RETRIEVE = Hash(EXPAND)
EXPIRE = Hash(EXPAND)
LIST = Hash(
    {
        **PAGE,
        "created": Range(),
        "customer": Text(),
        "payment_intent": Text(),
        "status": Text(choices=("complete", "expired", "open")),
    }
)
LIST_ITEMS = Hash(PAGE)
_SHORTEST, _LONGEST = 30 * 60, 24 * 3600
_ONLY_IN = {
    "payment": ("line_items", "payment_intent_data", "customer_creation", "submit_type"),
    "setup": ("setup_intent_data",),
}


def create(tx: Transaction, params: dict[str, Any]) -> Object:
    mode = params["mode"]
    _check(tx, params)
    id = new_id("cs_test_", 58)
    items = [_line_item(tx, item) for item in params.get("line_items", [])]
    total = sum(item["amount_total"] for item in items)
    currency = items[0]["currency"] if items else params.get("currency")
    email = params.get("customer_email")
    if items:
        check_amount(
            total, items[0]["currency"], param="line_items", what="The Session's total amount due"
        )
    if params.get("customer"):
        email = tx.get("customer", params["customer"], param="customer")["email"]
    session: Object = {
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": None,
        "after_expiration": None,
        "allow_promotion_codes": None,
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount_subtotal": total if items else None,
        "amount_total": total if items else None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": tx.now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
        ),
        "customer": params.get("customer"),
        "customer_account": None,
        "customer_creation": _customer_creation(params),
        "customer_details": _customer_details(email) if email else None,
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "expires_at": params.get("expires_at", tx.now + _LONGEST),
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": params.get("metadata") or {},
        "mode": mode,
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required" if mode == "payment" else "always",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid" if mode == "payment" else "no_payment_required",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}
        if items
        else None,
        "ui_mode": "hosted_page",
        "url": f"{tx.origin}/checkout/{id}",
        "wallet_options": None,
        "_line_items": items,
        "_intent": params.get(f"{mode}_intent_data", {}),
    }
    if mode == "setup":
        session["setup_intent"] = setup_intents.build(tx, **intent_values(session))["id"]
    tx.save(session)
    return session


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("checkout.session", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "customer", "payment_intent", "status")
    return page(tx, "checkout.session", "/v1/checkout/sessions", params, equal=equal)


def list_items(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return line_items(tx.get("checkout.session", id))


def expire(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    session = tx.get("checkout.session", id)
    if session["status"] != "open":
        raise ApiError(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of {session['status']}.",
            param="session",
        )
    _expire(tx, session)
    return session


def expire_due(tx: Transaction) -> None:
    """Expire the open sessions whose time is over by the server's clock."""
    rows = tx.db.execute(
        "SELECT id FROM objects WHERE kind = 'checkout.session' "
        "AND json_extract(body, '$.status') = 'open' AND json_extract(body, '$.expires_at') <= ?",
        (tx.now,),
    ).fetchall()
    for (id,) in rows:
        _expire(tx, tx.get("checkout.session", id))


def complete(tx: Transaction, session: Object, method: Object) -> None:
    """The session's intent succeeded with this card."""
    details = method["billing_details"]
    session.update(
        status="complete",
        url=None,
        customer_details=_customer_details(details["email"], details["name"]),
    )
    if session["mode"] == "payment":
        session["payment_status"] = "paid"
    tx.save(session)
    tx.emit("checkout.session.completed", session)


def intent_values(session: Object) -> dict[str, Any]:
    """What the session's intent starts with."""
    given = dict(session["_intent"])
    given["metadata"] = given.get("metadata") or {}
    return {**given, "customer": session["customer"], "_session": session["id"]}


def _expire(tx: Transaction, session: Object) -> None:
    session.update(status="expired", url=None)
    tx.save(session)
    if session["payment_intent"]:
        payment = tx.get("payment_intent", session["payment_intent"])
        payment_intents.close(tx, payment, "abandoned")
    if session["setup_intent"]:
        setup_intents.close(tx, tx.get("setup_intent", session["setup_intent"]))
    tx.emit("checkout.session.expired", session)


def _check(tx: Transaction, params: dict[str, Any]) -> None:
    mode = params["mode"]
    for other, names in _ONLY_IN.items():
        for name in names:
            if other != mode and name in params:
                raise ApiError(f"You can only use `{name}` in `{other}` mode.", param=name)
    if mode == "payment" and not params.get("line_items"):
        raise ApiError(
            "The `line_items` parameter is required in payment mode.",
            param="line_items",
            code="parameter_missing",
        )
    if mode == "setup" and not params.keys() & {"currency", "allowed_payment_method_types"}:
        raise ApiError(
            "In setup mode, pass `currency` or `allowed_payment_method_types`.",
            param="currency",
            code="parameter_missing",
        )
    if params.get("currency"):
        check_currency(params["currency"])
    currency = params.get("currency")
    for index, item in enumerate(params.get("line_items", [])):
        param = f"line_items[{index}][price_data][currency]"
        check_currency(item["price_data"]["currency"], param=param)
        currency = currency or item["price_data"]["currency"]
        if item["price_data"]["currency"] != currency:
            raise ApiError(
                f"All prices of a Checkout Session must be in one currency; expected {currency}, "
                f"got {item['price_data']['currency']}.",
                param=param,
            )
    if params.get("customer") and params.get("customer_email"):
        raise ApiError(
            "You may only specify one of these parameters: customer, customer_email.",
            param="customer_email",
        )
    expires_at = params.get("expires_at")
    if expires_at is not None and not _SHORTEST <= expires_at - tx.now <= _LONGEST:
        raise ApiError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout "
            "Session creation.",
            param="expires_at",
        )


def _customer_creation(params: dict[str, Any]) -> str | None:
    if params["mode"] != "payment" or params.get("customer"):
        return None
    creation: str = params.get("customer_creation") or "if_required"
    return creation


def _customer_details(email: str | None, name: str | None = None) -> Object:
    blank = dict.fromkeys(("address", "business_name", "individual_name", "phone"))
    return {**blank, "email": email, "name": name, "tax_exempt": "none", "tax_ids": []}


def _line_item(tx: Transaction, item: dict[str, Any]) -> Object:
    price, quantity = item["price_data"], item["quantity"]
    total = price["unit_amount"] * quantity
    product = price["product_data"]
    return {
        "id": new_id("li_1"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": {},
        "price": {
            "id": new_id("price_1"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "created": tx.now,
            "currency": price["currency"],
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": new_id("prod_"),
            "recurring": None,
            "tax_behavior": price.get("tax_behavior") or "unspecified",
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": price["unit_amount"],
            "unit_amount_decimal": str(price["unit_amount"]),
        },
        "quantity": quantity,
        "_details": product.get("description"),
    }
