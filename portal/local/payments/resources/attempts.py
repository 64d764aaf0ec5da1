"""What happens when a card is used: the part that payment intents and setup intents share.

requires_payment_method → requires_confirmation → (requires_action: 3-D Secure) → succeeded; a
decline leads back to requires_payment_method. See https://docs.stripe.com/payments/paymentintents/lifecycle.
"""

from portal.local.payments.cards import AUTHENTICATION_REQUIRED, Authentication, Card
from portal.local.payments.errors import ApiError, CardError
from portal.local.payments.store import Object, Transaction, public

from . import payment_methods
from .charges import charge

_AUTHENTICATION_FAILED = {
    "payment_intent": "We are unable to authenticate your payment method. Please choose a "
    "different payment method and try again.",
    "setup_intent": "The latest attempt to set up the payment method has failed because "
    "authentication failed.",
}
_LAST_ERROR = {"payment_intent": "last_payment_error", "setup_intent": "last_setup_error"}


def check_usable(tx: Transaction, method: Object, customer: str | None) -> None:
    """Raises ApiError for another customer's card, or one that was used and not saved."""
    owner = method["customer"]
    if owner is not None and owner != customer:
        hint = (
            "Please include the Customer in the `customer` parameter."
            if customer is None
            else f"It cannot be used for the Customer {customer}."
        )
        raise ApiError(
            f"The PaymentMethod {method['id']} belongs to the Customer {owner}. {hint}",
            param="payment_method",
        )
    if owner is None and method.get("_used"):
        raise ApiError(
            "The provided PaymentMethod was previously used without being attached to a Customer, "
            "or was detached from one, and may not be used again.",
            param="payment_method",
            code="payment_method_unexpected_state",
        )


def use(
    tx: Transaction,
    intent: Object,
    method: Object,
    *,
    off_session: bool = False,
    refuse_action: bool = False,
    authenticated: bool = False,
) -> CardError | None:
    """Charge or set up the card. The intent is saved in the state this leads to; a decline is also
    returned, for the caller to raise or show. `refuse_action` turns a wanted 3-D Secure into a
    decline, as `off_session` does."""
    card = payment_methods.card_of(method)
    intent.update(payment_method=method["id"], next_action=None)
    intent[_LAST_ERROR[intent["object"]]] = None
    saves = intent["object"] == "setup_intent"
    if card.decline and not (saves and card.savable):
        return _decline(tx, intent, method, card.decline.error())
    if not authenticated and _wants_authentication(card, method):
        if off_session or refuse_action:
            return _decline(tx, intent, method, AUTHENTICATION_REQUIRED.error())
        _ask(tx, intent)
        return None
    _succeed(tx, intent, method, authenticated=authenticated)
    return None


def fail_authentication(tx: Transaction, intent: Object) -> CardError:
    """The cardholder did not pass 3-D Secure. Nothing was charged."""
    method = tx.get("payment_method", intent["payment_method"], param="payment_method")
    kind = intent["object"]
    error = CardError(_AUTHENTICATION_FAILED[kind], code=f"{kind}_authentication_failure")
    _back_to_start(tx, intent, method, error)
    return error


def _wants_authentication(card: Card, method: Object) -> bool:
    return card.authentication is Authentication.ALWAYS or (
        card.authentication is Authentication.UNLESS_SET_UP and not method["_set_up"]
    )


def _ask(tx: Transaction, intent: Object) -> None:
    intent["status"] = "requires_action"
    if intent["_return_url"]:
        intent["next_action"] = {
            "redirect_to_url": {
                "return_url": intent["_return_url"],
                "url": f"{tx.origin}/authenticate/{intent['id']}",
            },
            "type": "redirect_to_url",
        }
    else:
        intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    tx.save(intent)
    tx.emit(f"{intent['object']}.requires_action", intent)


def _succeed(tx: Transaction, intent: Object, method: Object, *, authenticated: bool) -> None:
    payment = intent["object"] == "payment_intent"
    usage = intent["setup_future_usage"] if payment else intent["usage"]
    if usage == "off_session" and authenticated:
        method["_set_up"] = True
    method["_used"] = True
    tx.save(method)
    if usage is not None and intent["customer"] is not None:
        payment_methods.attach(tx, method, intent["customer"])
    intent["status"] = "succeeded"
    if payment:
        made = charge(tx, intent, method, None)
        intent["latest_charge"] = made["id"]
        dispute = payment_methods.card_of(method).dispute
        if dispute:
            tx.later(made["id"], dispute, after=0)
        intent["amount_received"] = intent["amount"]
    tx.save(intent)
    tx.emit(f"{intent['object']}.succeeded", intent)


def _decline(tx: Transaction, intent: Object, method: Object, error: CardError) -> CardError:
    if intent["object"] == "payment_intent":
        failed = charge(tx, intent, method, error)
        intent["latest_charge"] = error.fields["charge"] = failed["id"]
    _back_to_start(tx, intent, method, error)
    return error


def _back_to_start(tx: Transaction, intent: Object, method: Object, error: CardError) -> None:
    kind = intent["object"]
    error.fields["payment_method"] = public(method)
    intent[_LAST_ERROR[kind]] = dict(error.fields)
    intent.update(status="requires_payment_method", payment_method=None, next_action=None)
    tx.save(intent)
    failure = (
        "payment_intent.payment_failed" if kind == "payment_intent" else "setup_intent.setup_failed"
    )
    tx.emit(failure, intent)
    error.fields[kind] = public(intent)
