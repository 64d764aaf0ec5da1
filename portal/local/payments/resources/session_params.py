"""What a Checkout Session may be asked for (https://docs.stripe.com/api/checkout/sessions)."""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.money import check_currency
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
LONGEST = 24 * 3600  # seconds; a session's time where none is asked for
_SHORTEST = 30 * 60
_ONLY_IN = {
    "payment": ("line_items", "payment_intent_data", "customer_creation", "submit_type"),
    "setup": ("setup_intent_data",),
}


def check(params: dict[str, Any], *, now: int) -> None:
    """Raise ApiError for what the fields alone do not tell. `now` is in seconds since 1970."""
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
    if expires_at is not None and not _SHORTEST <= expires_at - now <= LONGEST:
        raise ApiError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout "
            "Session creation.",
            param="expires_at",
        )
