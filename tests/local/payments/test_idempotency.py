"""Idempotency keys: one effect for each, whatever the network does."""

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

from portal.local.payments.server import LocalPayments
from tests.local.payments.conftest import KEY, charge, sdk
from tests.local.payments.receiver import eventually

CUSTOMER = "POST /v1/customers"


def post(payments: LocalPayments, key: str, path: str = "/v1/customers", **data: Any) -> Any:
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": key}
    return httpx.post(f"{payments.url}{path}", data=data, headers=headers)


def test_the_first_answer_is_replayed(payments: LocalPayments, client: stripe.StripeClient) -> None:
    first = post(payments, "k1", name="Alice")
    again = post(payments, "k1", name="Alice")
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert again.headers["Idempotency-Key"] == "k1"
    assert len(client.v1.customers.list().data) == 1


def test_a_decline_is_replayed_too(client: stripe.StripeClient) -> None:
    options: Any = {"idempotency_key": "k1"}
    given: Any = {
        "amount": 500,
        "currency": "usd",
        "payment_method": "pm_card_visa_chargeDeclined",
        "allowed_payment_method_types": ["card"],
        "confirm": True,
    }
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            client.v1.payment_intents.create(given, options)
        errors.append(caught.value)
    assert errors[0].json_body == errors[1].json_body
    assert len(client.v1.charges.list().data) == 1


def test_a_refusal_is_replayed_even_when_it_would_succeed_now(
    payments: LocalPayments, client: stripe.StripeClient
) -> None:
    intent = charge(client, amount=100)
    client.v1.refunds.create({"payment_intent": intent.id})
    refused = post(payments, "k1", "/v1/refunds", payment_intent=intent.id)
    again = post(payments, "k1", "/v1/refunds", payment_intent=intent.id)
    assert (refused.status_code, again.status_code) == (400, 400)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_other_parameters_or_another_address_are_refused(
    payments: LocalPayments, client: stripe.StripeClient
) -> None:
    client.v1.customers.create({"name": "Alice"}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError) as caught:
        client.v1.customers.create({"name": "Bob"}, {"idempotency_key": "k1"})
    assert caught.value.http_status == 400
    elsewhere = post(payments, "k1", "/v1/refunds", name="Alice")
    assert elsewhere.json()["error"]["type"] == "idempotency_error"
    assert len(client.v1.customers.list().data) == 1


def test_a_malformed_request_is_not_remembered(payments: LocalPayments) -> None:
    assert post(payments, "k1", nmae="Alice").status_code == 400
    assert post(payments, "k1", name="Alice").status_code == 200


def test_at_the_same_time(
    payments: LocalPayments, client: stripe.StripeClient, control: Callable[..., Any]
) -> None:
    control("fault", operation=CUSTOMER, when="before", how="hold")
    answers = []
    first = threading.Thread(target=lambda: answers.append(post(payments, "k1", name="A")))
    first.start()
    eventually(lambda: control("healthz")["holding"])
    second = post(payments, "k1", name="A")
    assert second.status_code == 409
    assert second.json()["error"]["code"] == "idempotency_key_in_use"
    assert post(payments, "k2", name="B").status_code == 200
    control("fault", clear=True)
    first.join()
    assert answers[0].status_code == 200
    assert post(payments, "k1", name="A").headers["Idempotent-Replayed"] == "true"
    assert len(client.v1.customers.list().data) == 2


def test_many_at_once_have_one_effect(payments: LocalPayments, client: stripe.StripeClient) -> None:
    together = threading.Barrier(8)
    statuses = []

    def call() -> None:
        together.wait()
        statuses.append(post(payments, "k1", name="A").status_code)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 200 in statuses
    assert set(statuses) <= {200, 409}
    assert len(client.v1.customers.list().data) == 1


def test_forgotten_after_a_day_of_the_servers_clock(
    payments: LocalPayments, control: Callable[..., Any]
) -> None:
    control("clock", now="2026-01-31T12:00:00Z")
    first = post(payments, "k1", name="A")
    control("clock", now="2026-02-01T11:59:59Z")
    assert post(payments, "k1", name="A").json()["id"] == first.json()["id"]
    control("clock", now="2026-02-01T12:00:00Z")
    assert post(payments, "k1", name="A").json()["id"] != first.json()["id"]


@pytest.mark.parametrize("how", ["drop", "error"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_sdks_own_retry_finds_the_first_effect(
    payments: LocalPayments, control: Callable[..., Any], when: str, how: str
) -> None:
    client = stripe.StripeClient(KEY, base_addresses={"api": payments.url}, max_network_retries=1)
    control("fault", operation=CUSTOMER, when=when, how=how, times=1)
    made = client.v1.customers.create({"name": "Alice"})
    assert [c.id for c in client.v1.customers.list().data] == [made.id]


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_of_impossible_length(payments: LocalPayments, key: str) -> None:
    assert post(payments, key, name="A").status_code == 400


@pytest.mark.parametrize(("when", "left"), [("before", 0), ("after", 1)])
def test_a_fault_happens_before_or_after(
    payments: LocalPayments, control: Callable[..., Any], when: str, left: int
) -> None:
    client = sdk(payments.url)
    control("fault", operation=CUSTOMER, when=when)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create({"name": "Alice"})
    assert len(client.v1.customers.list().data) == left
    control("fault", operation=CUSTOMER, when=when, how="error")
    with pytest.raises(stripe.APIError):
        client.v1.customers.create({"name": "Alice"})
    assert len(client.v1.customers.list().data) == 2 * left
