"""Checkout Sessions by API."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.local.payments.conftest import CANCEL, SUCCESS, checkout, customer, line


def test_as_created(client: stripe.StripeClient) -> None:
    alice = customer(client)
    session = checkout(
        client,
        customer=alice.id,
        client_reference_id="order-7",
        metadata={"order": "7"},
        locale="ja",
        line_items=[line(4500, "jpy", description="2026-11"), {**line(150, "jpy"), "quantity": 2}],
        expand=["line_items", "customer"],
    )
    assert session.id.startswith("cs_test_")
    assert session.url is not None
    assert session.url.endswith(f"/checkout/{session.id}")
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_total, session.currency) == (4800, "jpy")
    assert (session.client_reference_id, session.locale) == ("order-7", "ja")
    assert (session.success_url, session.cancel_url) == (SUCCESS, CANCEL)
    assert session.payment_intent is None  # as at Stripe, until somebody tries to pay
    assert session.expires_at == session.created + 86_400
    assert isinstance(session.customer, stripe.Customer)
    assert session.customer_details is not None
    assert session.customer_details.email == "alice@example.com"
    assert session.line_items is not None
    assert [item.amount_total for item in session.line_items.data] == [4500, 300]
    items = client.v1.checkout.sessions.line_items.list(session.id)
    assert [item.quantity for item in items.data] == [1, 2]


def test_setup_mode_has_its_intent_at_once(client: stripe.StripeClient) -> None:
    session = checkout(
        client,
        mode="setup",
        currency="usd",
        setup_intent_data={"metadata": {"tenant": "7"}},
        expand=["setup_intent"],
    )
    assert session.payment_status == "no_payment_required"
    intent = session.setup_intent
    assert isinstance(intent, stripe.SetupIntent)
    assert (intent.status, intent.usage) == ("requires_payment_method", "off_session")
    assert intent.metadata is not None
    assert intent.metadata.to_dict() == {"tenant": "7"}
    assert client.v1.setup_intents.retrieve(intent.id).id == intent.id


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"mode": "subscription"}, "mode"),
        ({"line_items": []}, "line_items"),
        ({"line_items": [line(49)]}, "line_items"),
        ({"line_items": [line(49, "jpy")]}, "line_items"),
        ({"line_items": [{**line(), "quantity": 0}]}, "line_items[0][quantity]"),
        ({"line_items": [{"price": "price_1", "quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [line(100, "xyz")]}, "line_items[0][price_data][currency]"),
        (
            {"line_items": [line(), line(150, "jpy")]},
            "line_items[1][price_data][currency]",
        ),
        ({"currency": "jpy"}, "line_items[0][price_data][currency]"),
        ({"success_url": "/paid"}, "success_url"),
        ({"success_url": "http://[::1"}, "success_url"),
        ({"cancel_url": "javascript:alert(1)"}, "cancel_url"),
        ({"customer": "cus_x"}, "customer"),
        ({"client_reference_id": "r" * 201}, "client_reference_id"),
        ({"expires_at": 1}, "expires_at"),
        ({"allow_promotion_codes": True}, "allow_promotion_codes"),
        ({"setup_intent_data": {"metadata": {}, "description": "x"}}, "setup_intent_data"),
        (
            {"payment_intent_data": {"capture_method": "manual"}},
            "payment_intent_data[capture_method]",
        ),
        ({"mode": "setup", "line_items": [line()]}, "line_items"),
        ({"mode": "setup"}, "currency"),
        ({"mode": "setup", "currency": "xyz"}, "currency"),
    ],
)
def test_refusals(client: stripe.StripeClient, params: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        checkout(client, **params)
    assert caught.value.param == param
    assert client.v1.checkout.sessions.list().data == []


def test_a_customer_or_an_email_but_not_both(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="customer_email"):
        checkout(client, customer=customer(client).id, customer_email="b@example.com")


def test_expired_by_hand(client: stripe.StripeClient) -> None:
    session = checkout(client)
    expired = client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError, match="status of expired"):
        client.v1.checkout.sessions.expire(session.id)
    events = client.v1.events.list({"type": "checkout.session.expired"}).data
    assert [event.data.to_dict()["object"]["id"] for event in events] == [session.id]


def test_expires_by_the_servers_clock(
    client: stripe.StripeClient, control: Callable[..., Any]
) -> None:
    control("clock", now="2026-01-31T23:00:00Z")
    session = checkout(client)
    short = checkout(client, expires_at=session.created + 1800)
    for expires_at in (session.created + 1799, session.created + 86_401):
        with pytest.raises(stripe.InvalidRequestError, match="30 minutes and 24 hours"):
            checkout(client, expires_at=expires_at)
    control("clock", now="2026-01-31T23:29:59Z")
    assert client.v1.checkout.sessions.retrieve(short.id).status == "open"
    control("clock", now="2026-01-31T23:30:00Z")
    assert client.v1.checkout.sessions.retrieve(short.id).status == "expired"
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert len(client.v1.events.list({"type": "checkout.session.expired"}).data) == 1


def test_expires_although_nobody_asks(
    payments: Any, client: stripe.StripeClient, control: Callable[..., Any], receiver: Any
) -> None:
    session = checkout(client)
    control("clock", now="2100-01-01T00:00:00Z")
    event = receiver.wait_for("checkout.session.expired")[0]
    assert event.data.to_dict()["object"]["id"] == session.id


def test_filters(client: stripe.StripeClient) -> None:
    alice = customer(client)
    mine, other = checkout(client, customer=alice.id), checkout(client)
    client.v1.checkout.sessions.expire(other.id)
    sessions = client.v1.checkout.sessions
    assert [s.id for s in sessions.list({"customer": alice.id}).data] == [mine.id]
    assert [s.id for s in sessions.list({"status": "expired"}).data] == [other.id]
    assert sessions.list({"payment_intent": "pi_x"}).data == []
    assert [s.id for s in sessions.list().data] == [other.id, mine.id]
