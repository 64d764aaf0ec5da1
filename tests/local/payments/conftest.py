"""A server of its own for each test, the real SDK to talk to it, and a webhook's other end."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from stripe.checkout import Session

from portal.local.payments.server import LocalPayments
from tests.local.payments.receiver import SECRET, Receiver

KEY = "sk_test_for_the_local_payments"
SUCCESS = "http://localhost:8000/paid?session={CHECKOUT_SESSION_ID}"
CANCEL = "http://localhost:8000/billing/"
CARD = {"card_number": "4242 4242 4242 4242", "exp": "12 / 40", "cvc": "123", "name": "Alice"}


@pytest.fixture
def payments(tmp_path: Path) -> Iterator[LocalPayments]:
    with LocalPayments(
        secret_key=KEY, state_dir=tmp_path / "state", webhook_secret=SECRET
    ) as server:
        yield server


@pytest.fixture
def client(payments: LocalPayments) -> stripe.StripeClient:
    """The SDK without its own retries, so that a test sees each answer."""
    return sdk(payments.url)


@pytest.fixture
def receiver(payments: LocalPayments) -> Iterator[Receiver]:
    with Receiver() as other_end:
        payments.webhook_url = other_end.url
        yield other_end


@pytest.fixture
def visitor(payments: LocalPayments) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=payments.url, trust_env=False) as http:
        yield http


@pytest.fixture
def control(payments: LocalPayments) -> Callable[..., Any]:
    """POST to a control, or GET from it if nothing is sent."""

    def call(path: str, **content: Any) -> Any:
        url = f"{payments.url}/_sekisho/{path}"
        answer = httpx.post(url, json=content) if content else httpx.get(url)
        assert answer.is_success, answer.text
        return answer.json()

    return call


def sdk(url: str, key: str = KEY) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=0)


def line(amount: int = 100, currency: str = "usd", **product: Any) -> Any:
    price = {
        "currency": currency,
        "unit_amount": amount,
        "product_data": {"name": "Extension extra-100", **product},
    }
    return {"price_data": price, "quantity": 1}


def checkout(client: stripe.StripeClient, **params: Any) -> Session:
    given: Any = {
        "mode": "payment",
        "success_url": SUCCESS,
        "cancel_url": CANCEL,
        **params,
    }
    if given["mode"] == "payment":
        given.setdefault("line_items", [line()])
    return client.v1.checkout.sessions.create(given)


def customer(client: stripe.StripeClient) -> stripe.Customer:
    return client.v1.customers.create({"email": "alice@example.com", "name": "Alice"})


def page_of(session: Session) -> str:
    assert session.url is not None
    return session.url


def charge(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    given: Any = {
        "amount": 500,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        **params,
    }
    return client.v1.payment_intents.create(given)
