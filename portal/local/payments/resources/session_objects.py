"""A Checkout Session as Stripe answers it, and its line items. Private notes: `_line_items`, and
`_intent`, what its intent will be given.
"""

from typing import Any

from portal.local.payments.money import check_amount
from portal.local.payments.store import Object, Transaction, new_id

from .session_params import LONGEST


def build(tx: Transaction, params: dict[str, Any]) -> Object:
    """Return a new open session. Raise ApiError where its total cannot be charged."""
    mode = params["mode"]
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
    return {
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
        "customer_details": customer_details(email) if email else None,
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "expires_at": params.get("expires_at", tx.now + LONGEST),
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


def customer_details(email: str | None, name: str | None = None) -> Object:
    blank = dict.fromkeys(("address", "business_name", "individual_name", "phone"))
    return {**blank, "email": email, "name": name, "tax_exempt": "none", "tax_ids": []}


def _customer_creation(params: dict[str, Any]) -> str | None:
    if params["mode"] != "payment" or params.get("customer"):
        return None
    creation: str = params.get("customer_creation") or "if_required"
    return creation


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
