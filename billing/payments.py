"""The only module that talks to Stripe. Returns our dataclasses, raises our errors:

    PaymentError                str() says what was asked, and what was answered
    ├── PaymentUnavailable      no answer, a server error, or our key is wrong: it may or may not
    │                           have happened
    ├── PaymentDeclined         the bank said no; `code` and a message for the cardholder
    ├── AuthenticationNeeded    the bank wants the cardholder; only they can go on, in a browser
    └── PaymentRefused          Stripe understood and refused: a repeat will not help

Every call that makes something carries an idempotency key of the caller's. Stripe forgets those
after 24 hours (https://docs.stripe.com/api/idempotent_requests), so the ids that come back are
stored, and asked for first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import stripe
from django.conf import settings

TIMEOUT = 10  # seconds; no page waits longer for Stripe
KEYS_LIVE = timedelta(hours=23)  # Stripe forgets idempotency keys after 24


class PaymentError(Exception):
    """A call failed. `retryable` says whether the same call may succeed later."""

    retryable = False


class PaymentUnavailable(PaymentError):
    """No answer, a server error, or our key is wrong: whether it happened is unknown."""

    retryable = True


class PaymentDeclined(PaymentError):
    """The bank declined. `code` is Stripe's decline code, `message` is for the cardholder."""

    def __init__(self, *, code: str, message: str, payment_intent_id: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.payment_intent_id = code, message, payment_intent_id


class AuthenticationNeeded(PaymentDeclined):
    """The bank wants the cardholder to confirm (3-D Secure)."""


class PaymentRefused(PaymentError):
    """Stripe refused the request itself. `code` is one of https://docs.stripe.com/error-codes."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Card:
    """What may be shown of a saved card; `fingerprint` is the same for the same number."""

    payment_method_id: str
    brand: str
    last_four: str
    exp_month: int
    exp_year: int
    fingerprint: str


@dataclass(frozen=True)
class CheckoutState:
    """A Checkout Session; `metadata` is what we gave it.

    `is_paid` is true for a paid one, and for a completed setup.
    """

    id: str
    url: str
    status: str
    is_paid: bool
    amount: int
    currency: str
    metadata: dict[str, str]
    payment_intent_id: str
    card: Card | None
    decline_code: str
    decline_message: str


@dataclass(frozen=True)
class IntentState:
    """A PaymentIntent; `amount` in minor units, `metadata` what we gave it."""

    id: str
    status: str
    amount: int
    currency: str
    metadata: dict[str, str]
    decline_code: str
    decline_message: str


@dataclass(frozen=True)
class StripeRefund:
    """A refund; `amount` in minor units. `failure_reason` is Stripe's code for why it failed."""

    id: str
    status: str
    amount: int
    metadata: dict[str, str]
    failure_reason: str


@dataclass(frozen=True)
class Event:
    """A verified webhook event: what happened to which object, and whose order it says it is."""

    id: str
    type: str
    object_id: str


class BadSignature(PaymentError):
    """The webhook was not signed by Stripe with our secret, or is too old."""


@cache
def _client() -> stripe.StripeClient:
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE},
        max_network_retries=1,
        http_client=stripe.RequestsClient(timeout=TIMEOUT),
    )


def _call(what: str, call: Callable[[], Any]) -> Any:
    """Make one call and map Stripe's errors to ours."""
    try:
        return call()
    except stripe.CardError as error:
        answer: Any = error.json_body or {}
        body = answer.get("error", {})
        intent = body.get("payment_intent") or {}
        kind = AuthenticationNeeded if error.code == "authentication_required" else PaymentDeclined
        raise kind(
            code=body.get("decline_code") or error.code or "card_declined",
            message=error.user_message or str(error),
            payment_intent_id=intent.get("id", ""),
        ) from error
    except (
        stripe.APIConnectionError,
        stripe.RateLimitError,
        stripe.IdempotencyError,  # an earlier call under this key came through, and said otherwise
        stripe.AuthenticationError,  # our key is wrong, say rotated: nobody's card is to blame
        stripe.PermissionError,
    ) as error:
        raise PaymentUnavailable(f"{what}: {error}") from error
    except stripe.StripeError as error:
        if error.http_status is None or error.http_status >= 500 or error.http_status == 409:
            raise PaymentUnavailable(f"{what}: {error}") from error
        raise PaymentRefused(f"{what}: {error}", code=error.code or "") from error


# --- Customers and checkout ---


def customer_create(*, tenant_uuid: str, name: str, email: str) -> str:
    """Create the tenant's customer and return its id; the same one in a repeat."""
    params: Any = {"name": name, "email": email, "metadata": {"tenant": tenant_uuid}}
    customer = _call(
        "create customer",
        lambda: _client().v1.customers.create(
            params, options={"idempotency_key": f"customer-{tenant_uuid}"}
        ),
    )
    return str(customer.id)


def checkout_create(
    *,
    reference: str,
    metadata: dict[str, str],
    idempotency_key: str,
    customer_id: str,
    description: str,
    currency: str,
    amount: int,
    success_url: str,
    cancel_url: str,
    locale: str,
) -> CheckoutState:
    """Open a Checkout Session; the same one in a repeat of the same key.

    An amount of 0 saves a card (mode `setup`); otherwise the card is saved for later charges too.
    `metadata` is the session's and its PaymentIntent's.
    """
    params: dict[str, Any] = {
        "customer": customer_id,
        "client_reference_id": reference,
        # Others tell days later whether they paid.
        "allowed_payment_method_types": ["card"],
        "metadata": metadata,
        "success_url": success_url,
        "cancel_url": cancel_url,
        "locale": locale,
    }
    if amount:
        price = {
            "currency": currency.lower(),
            "unit_amount": amount,
            "product_data": {"name": description},
        }
        params |= {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "payment_intent_data": {
                "metadata": metadata,
                "setup_future_usage": "off_session",
            },
        }
    else:
        params |= {"mode": "setup", "currency": currency.lower()}
    session = _call(
        "create checkout session",
        lambda: _client().v1.checkout.sessions.create(
            params,  # type: ignore[arg-type]
            options={"idempotency_key": idempotency_key},
        ),
    )
    return _checkout_state(session)


def checkout_get(*, session_id: str) -> CheckoutState:
    """Return the session as it is now, with its card once there is one."""
    params: Any = {"expand": ["payment_intent.payment_method", "setup_intent.payment_method"]}
    session = _call(
        "get checkout session",
        lambda: _client().v1.checkout.sessions.retrieve(session_id, params),
    )
    return _checkout_state(session)


def checkout_expire(*, session_id: str) -> None:
    """Close an open session, so that nobody can pay it any more; closed already is as good."""
    try:
        _call("expire session", lambda: _client().v1.checkout.sessions.expire(session_id))
    except PaymentRefused:
        return


def _checkout_state(session: Any) -> CheckoutState:
    intent = session.payment_intent
    setup = session.setup_intent
    source = intent if intent is not None else setup
    method = getattr(source, "payment_method", None)
    error = getattr(intent, "last_payment_error", None)
    is_setup = session.mode == "setup" and session.status == "complete"
    return CheckoutState(
        id=session.id,
        url=session.url or "",
        status=session.status or "",
        is_paid=session.payment_status == "paid" or is_setup,
        amount=session.amount_total or 0,
        currency=(session.currency or "").upper(),
        metadata=session.metadata.to_dict() if session.metadata else {},
        payment_intent_id=intent if isinstance(intent, str) else getattr(intent, "id", ""),
        card=_card(method),
        decline_code=(error.decline_code or error.code or "") if error else "",
        decline_message=(error.message or "") if error else "",
    )


def _card(method: Any) -> Card | None:
    card = getattr(method, "card", None)
    if card is None:
        return None
    return Card(
        method.id, card.brand, card.last4, card.exp_month, card.exp_year, card.fingerprint or ""
    )


def card_detach(*, payment_method_id: str) -> None:
    """Take a saved card away from its customer, so that nobody can charge it again.

    One that is detached, or unknown to Stripe, is as good.
    """
    try:
        _call("detach card", lambda: _client().v1.payment_methods.detach(payment_method_id))
    except PaymentRefused as refusal:
        if refusal.code == "resource_missing":
            return
        method = _call("get card", lambda: _client().v1.payment_methods.retrieve(payment_method_id))
        if method.customer is not None:
            raise


# --- Charges and refunds ---


def intent_create(
    *,
    customer_id: str,
    payment_method_id: str,
    currency: str,
    amount: int,
    description: str,
    metadata: dict[str, str],
    idempotency_key: str,
) -> IntentState:
    """Charge a saved card without its holder; the same charge in a repeat of the same key.

    Raise PaymentDeclined, or AuthenticationNeeded where the bank wants the cardholder.
    """
    params: Any = {
        "customer": customer_id,
        "payment_method": payment_method_id,
        "currency": currency.lower(),
        "amount": amount,
        "description": description,
        "metadata": metadata,
        "allowed_payment_method_types": ["card"],
        "off_session": True,
        "confirm": True,
    }
    intent = _call(
        "charge",
        lambda: _client().v1.payment_intents.create(
            params, options={"idempotency_key": idempotency_key}
        ),
    )
    return _intent_state(intent)


def intent_get(*, intent_id: str) -> IntentState:
    """Return the PaymentIntent as it is now."""
    return _intent_state(
        _call("get payment", lambda: _client().v1.payment_intents.retrieve(intent_id))
    )


def intent_cancel(*, intent_id: str) -> IntentState:
    """Cancel a PaymentIntent; where it cannot be any more, return it as it is."""
    try:
        return _intent_state(
            _call("cancel payment", lambda: _client().v1.payment_intents.cancel(intent_id))
        )
    except PaymentRefused:
        return intent_get(intent_id=intent_id)


def intent_find(*, customer_id: str, metadata: dict[str, str]) -> IntentState | None:
    """Return the customer's newest PaymentIntent that carries this metadata."""
    params: Any = {"customer": customer_id, "limit": 100}
    found = _call("list payments", lambda: _client().v1.payment_intents.list(params))
    for intent in found.auto_paging_iter():
        if metadata.items() <= intent.metadata.to_dict().items():
            return _intent_state(intent)
    return None


def _intent_state(intent: Any) -> IntentState:
    error = intent.last_payment_error
    return IntentState(
        id=intent.id,
        status=intent.status,
        amount=intent.amount,
        currency=intent.currency.upper(),
        metadata=intent.metadata.to_dict() if intent.metadata else {},
        decline_code=(error.decline_code or error.code or "") if error else "",
        decline_message=(error.message or "") if error else "",
    )


def refund_create(
    *, payment_intent_id: str, amount: int, metadata: dict[str, str], idempotency_key: str
) -> StripeRefund:
    """Pay so much of it back, in minor units; the same refund in a repeat of the same key."""
    params: Any = {"payment_intent": payment_intent_id, "amount": amount, "metadata": metadata}
    options: Any = {"idempotency_key": idempotency_key}
    return _refund_state(
        _call("refund", lambda: _client().v1.refunds.create(params, options=options))
    )


def refund_all(*, payment_intent_id: str, idempotency_key: str) -> StripeRefund:
    """Pay all of it back; the same refund in a repeat.

    Also once Stripe has forgotten the key, or where an operator was faster in its dashboard.
    """
    params: Any = {"payment_intent": payment_intent_id}
    options: Any = {"idempotency_key": idempotency_key}
    try:
        refund = _call("refund", lambda: _client().v1.refunds.create(params, options=options))
    except PaymentRefused as refusal:
        if refusal.code != "charge_already_refunded":
            raise
        (refund, *_others) = _call("list refunds", lambda: _client().v1.refunds.list(params))
    return _refund_state(refund)


def refund_get(*, refund_id: str) -> StripeRefund:
    """Return the refund as it is now."""
    return _refund_state(_call("get refund", lambda: _client().v1.refunds.retrieve(refund_id)))


def refund_find(*, payment_intent_id: str, metadata: dict[str, str]) -> StripeRefund | None:
    """Return the newest refund of a PaymentIntent that carries this metadata."""
    found = _refunds({"payment_intent": payment_intent_id})
    return next((one for one in found if metadata.items() <= one.metadata.items()), None)


def refunds_of(*, charge_id: str) -> list[StripeRefund]:
    """Return the refunds of a charge, the newest first."""
    return list(_refunds({"charge": charge_id}))


def _refunds(of: dict[str, str]) -> Iterator[StripeRefund]:
    params: Any = {**of, "limit": 100}
    found = _call("list refunds", lambda: _client().v1.refunds.list(params))
    return (_refund_state(refund) for refund in found.auto_paging_iter())


def _refund_state(refund: Any) -> StripeRefund:
    return StripeRefund(
        id=refund.id,
        status=refund.status,
        amount=refund.amount,
        metadata=refund.metadata.to_dict() if refund.metadata else {},
        failure_reason=getattr(refund, "failure_reason", None) or "",
    )


# --- Webhooks ---


def event_verify(*, payload: bytes, signature: str) -> Event:
    """Return the event of a signed webhook. Raise BadSignature for any other.

    Only its ids are used: the object is fetched anew, since events come late and out of order.
    """
    try:
        event = stripe.Webhook.construct_event(payload, signature, settings.STRIPE_WEBHOOK_SECRET)
    except (ValueError, stripe.SignatureVerificationError) as error:
        raise BadSignature(str(error)) from error
    return Event(id=event.id, type=event.type, object_id=getattr(event.data.object, "id", ""))
