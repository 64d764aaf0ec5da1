"""Payment intents (https://docs.stripe.com/api/payment_intents); money is captured at once.

Those that a Checkout Session made belong to it: they are confirmed on its page and end with it.
"""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.money import check_amount, check_currency
from portal.local.payments.params import (
    EXPAND,
    METHOD_TYPES,
    PAGE,
    Field,
    Flag,
    Hash,
    Integer,
    Metadata,
    Range,
    Text,
    Url,
)
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id

from . import attempts, payment_methods

_CONFIRM: dict[str, Field] = {
    **EXPAND,
    **METHOD_TYPES,
    "error_on_requires_action": Flag(),
    "off_session": Flag(),
    "payment_method": Text(),
    "return_url": Url(),
    "setup_future_usage": Text(choices=("off_session", "on_session")),
}
CREATE = Hash(
    {
        **_CONFIRM,
        "amount": Integer(required=True),
        "automatic_payment_methods": Hash(
            {"allow_redirects": Text(choices=("always", "never")), "enabled": Flag(required=True)}
        ),
        "capture_method": Text(choices=("automatic", "automatic_async")),
        "confirm": Flag(),
        "currency": Text(required=True),
        "customer": Text(),
        "description": Text(max=1000),
        "metadata": Metadata(),
        "receipt_email": Text(max=800),
        "statement_descriptor": Text(max=22),
        "statement_descriptor_suffix": Text(max=22),
    }
)
CONFIRM = Hash(_CONFIRM)
RETRIEVE = Hash({**EXPAND, "client_secret": Text()})
LIST = Hash({**PAGE, "created": Range(), "customer": Text()})
CANCEL = Hash(
    {
        **EXPAND,
        "cancellation_reason": Text(
            choices=("abandoned", "duplicate", "fraudulent", "requested_by_customer")
        ),
    }
)
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def build(tx: Transaction, *, amount: int, currency: str, **given: Any) -> Object:
    """A new intent that wants a card. `given` are fields of the object, or private notes."""
    id = new_id("pi_3")
    intent: Object = {
        "id": id,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_secret_{new_id('', 25)}",
        "confirmation_method": "automatic",
        "created": tx.now,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"installments": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        "_return_url": None,
        "_session": None,
    }
    intent.update(given)
    tx.save(intent)
    tx.emit("payment_intent.created", intent)
    return intent


def create(tx: Transaction, params: dict[str, Any]) -> Object:
    check_currency(params["currency"])
    check_amount(params["amount"], params["currency"])
    if params.get("customer"):
        tx.get("customer", params["customer"], param="customer")
    if {"allowed_payment_method_types", "automatic_payment_methods"} <= params.keys():
        raise ApiError(
            "You may only specify one of these parameters: allowed_payment_method_types, "
            "automatic_payment_methods.",
            param="allowed_payment_method_types",
        )
    confirm = params.get("confirm", False)
    if not confirm:
        for name in ("off_session", "error_on_requires_action", "return_url"):
            if name in params:
                raise ApiError(
                    f"The parameter `{name}` cannot be passed when creating a PaymentIntent "
                    "unless `confirm` is set to true.",
                    param=name,
                )
    method = _method(tx, params, params.get("customer"))
    fields = (
        "amount currency customer description receipt_email capture_method setup_future_usage "
        "allowed_payment_method_types statement_descriptor statement_descriptor_suffix"
    )
    given = chosen(params, *fields.split())
    if "allowed_payment_method_types" not in params:
        automatic = {"allow_redirects": "always", "enabled": True}
        given["automatic_payment_methods"] = {
            **automatic,
            **params.get("automatic_payment_methods", {}),
        }
    if method is not None:
        given.update(payment_method=method["id"], status="requires_confirmation")
    given["metadata"] = params.get("metadata") or {}
    intent = build(tx, **given)
    return _confirm(tx, intent, params) if confirm else intent


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("payment_intent", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "customer")
    if equal:
        tx.get("customer", equal["customer"], param="customer")
    return page(tx, "payment_intent", "/v1/payment_intents", params, equal=equal)


def confirm(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    intent = tx.get("payment_intent", id)
    _refuse_if_of_a_session(intent, "confirm")
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected(intent, "confirm")
    method = _method(tx, params, intent["customer"])
    if method is not None:
        intent["payment_method"] = method["id"]
    if "allowed_payment_method_types" in params:
        intent["allowed_payment_method_types"] = params["allowed_payment_method_types"]
        intent["automatic_payment_methods"] = None
    if "setup_future_usage" in params:
        intent["setup_future_usage"] = params["setup_future_usage"]
    return _confirm(tx, intent, params)


def cancel(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    intent = tx.get("payment_intent", id)
    _refuse_if_of_a_session(intent, "cancel")
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected(intent, "cancel")
    close(tx, intent, params.get("cancellation_reason"))
    return intent


def close(tx: Transaction, intent: Object, reason: str | None) -> None:
    """Cancel an intent that has not succeeded."""
    intent.update(
        status="canceled", canceled_at=tx.now, cancellation_reason=reason, next_action=None
    )
    tx.save(intent)
    tx.emit("payment_intent.canceled", intent)


def _method(tx: Transaction, params: dict[str, Any], customer: str | None) -> Object | None:
    if not params.get("payment_method"):
        return None
    method = payment_methods.resolve(tx, params["payment_method"], param="payment_method")
    attempts.check_usable(tx, method, customer)
    return method


def _confirm(tx: Transaction, intent: Object, params: dict[str, Any]) -> Object:
    if intent["payment_method"] is None:
        raise ApiError(
            "You cannot confirm this PaymentIntent because it's missing a payment method. "
            "Pass one in `payment_method`.",
            code="payment_intent_unexpected_state",
        )
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] == "always" and "return_url" not in params:
        raise ApiError(
            "This PaymentIntent may use payment methods that redirect your customer, so you must "
            "provide a `return_url`. If you don't want redirects, set "
            "`automatic_payment_methods[allow_redirects]` to `never`, or pass "
            "`allowed_payment_method_types`.",
            param="return_url",
        )
    intent["_return_url"] = params.get("return_url")
    method = tx.get("payment_method", intent["payment_method"], param="payment_method")
    error = attempts.use(
        tx,
        intent,
        method,
        off_session=params.get("off_session", False),
        refuse_action=params.get("error_on_requires_action", False),
    )
    if error is not None:
        raise error
    return intent


def _refuse_if_of_a_session(intent: Object, what: str) -> None:
    if intent["_session"]:
        raise ApiError(
            f"You cannot {what} the PaymentIntent of a Checkout Session. Expire the Session "
            "to cancel it; its page confirms it.",
            code="payment_intent_unexpected_state",
        )


def _unexpected(intent: Object, what: str) -> ApiError:
    return ApiError(
        f"You cannot {what} this PaymentIntent because it has a status of {intent['status']}. "
        f"Only a PaymentIntent with one of the following statuses may be {what}ed: "
        f"{', '.join(_CONFIRMABLE)}.",
        code="payment_intent_unexpected_state",
    )
