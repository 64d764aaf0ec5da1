"""Customers, and the pages on which they pay or save a card."""

from dataclasses import dataclass
from typing import Any

from billing.payments.cards import Card, card_of
from billing.payments.client import call, decline_of, stripe_client
from billing.payments.errors import PaymentRefused


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


def customer_create(*, tenant_uuid: str, name: str, email: str) -> str:
    """Create the tenant's customer and return its id; the same one in a repeat."""
    params: Any = {"name": name, "email": email, "metadata": {"tenant": tenant_uuid}}
    customer = call(
        "create customer",
        lambda: stripe_client().v1.customers.create(
            params, options={"idempotency_key": f"customer-{tenant_uuid}"}
        ),
    )
    return str(customer.id)


def customer_update(*, customer_id: str, name: str, email: str) -> None:
    """Change what a customer is called, and their address; the same again changes nothing."""
    params: Any = {"name": name, "email": email}
    call("update customer", lambda: stripe_client().v1.customers.update(customer_id, params))


def customer_delete(*, customer_id: str) -> None:
    """Delete a customer with the saved cards; one that Stripe does not know (any more) is as good.

    Payments stay, and can be refunded: https://docs.stripe.com/api/customers/delete
    """
    try:
        call("delete customer", lambda: stripe_client().v1.customers.delete(customer_id))
    except PaymentRefused as refusal:
        if refusal.code != "resource_missing":
            raise


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
    session = call(
        "create checkout session",
        lambda: stripe_client().v1.checkout.sessions.create(
            params,  # type: ignore[arg-type]
            options={"idempotency_key": idempotency_key},
        ),
    )
    return _checkout_state(session)


def checkout_get(*, session_id: str) -> CheckoutState:
    """Return the session as it is now, with its card once there is one."""
    params: Any = {"expand": ["payment_intent.payment_method", "setup_intent.payment_method"]}
    session = call(
        "get checkout session",
        lambda: stripe_client().v1.checkout.sessions.retrieve(session_id, params),
    )
    return _checkout_state(session)


def checkout_expire(*, session_id: str) -> None:
    """Close an open session, so that nobody can pay it any more; closed already is as good."""
    try:
        call("expire session", lambda: stripe_client().v1.checkout.sessions.expire(session_id))
    except PaymentRefused:
        return


def _checkout_state(session: Any) -> CheckoutState:
    intent = session.payment_intent
    setup = session.setup_intent
    source = intent if intent is not None else setup
    method = getattr(source, "payment_method", None)
    code, message = decline_of(getattr(intent, "last_payment_error", None))
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
        card=card_of(method),
        decline_code=code,
        decline_message=message,
    )
