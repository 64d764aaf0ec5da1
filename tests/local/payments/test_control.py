"""The controls for tests refuse what they cannot do, and nobody else's web page can use them."""

from typing import Any

import httpx
import pytest
import stripe

from portal.local.payments.server import LocalPayments
from tests.local.payments.conftest import KEY, customer, sdk


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("clock", {"now": "tomorrow"}, "must be a time"),
        ("clock", {"now": 5}, "must be a time"),
        ("clock", {"now": "2026-01-31T00:00:00"}, "time zone"),
        ("clock", {"then": None}, "these keys only: now"),
        ("fault", {"operation": "refunds"}, "operation must be"),
        ("fault", {"operation": "POST /v1/refunds", "when": "later"}, "when must be"),
        ("fault", {"operation": "POST /v1/refunds", "how": "badly"}, "how must be"),
        ("fault", {"operation": "POST /v1/refunds", "times": 0}, "times must be"),
        ("webhooks", {"enabled": "no"}, "true or false"),
        ("webhooks/redeliver", {"event": 5}, "id of an event"),
        ("webhooks/redeliver", {"event": "evt_x"}, "no webhook URL"),
        ("payout", {"currency": "usd"}, "Nothing is available"),
        ("payout", {"currency": "xyz"}, "Invalid currency"),
        ("fee", {"currency": "usd", "amount": 0}, "whole number"),
        ("outcome", {"id": "po_x", "outcome": "paid"}, "No such object"),
        ("outcome", {"id": "po_x", "outcome": 1}, "outcome must be a string"),
        ("outcome", {"outcome": "paid"}, "id must be a string"),
        ("nonsense", {}, "No such control"),
    ],
)
def test_refusals(payments: LocalPayments, path: str, content: Any, message: str) -> None:
    answer = httpx.post(f"{payments.url}/_sekisho/{path}", json=content)
    assert 400 <= answer.status_code < 500
    assert message in answer.json()["error"]["message"]


def test_an_unknown_event_is_not_redelivered(payments: LocalPayments, receiver: object) -> None:
    url = f"{payments.url}/_sekisho/webhooks/redeliver"
    assert httpx.post(url, json={"event": "evt_x"}).status_code == 404


def test_only_json_is_taken(payments: LocalPayments) -> None:
    url = f"{payments.url}/_sekisho/clock"
    form = httpx.post(url, content='{"now": null}', headers={"Content-Type": "text/plain"})
    assert form.status_code == 415
    broken = httpx.post(url, content="{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400


def test_the_clock_stands_and_goes_on(payments: LocalPayments, client: stripe.StripeClient) -> None:
    url = f"{payments.url}/_sekisho/clock"
    httpx.post(url, json={"now": "2026-01-31T23:59:59+09:00"})
    assert httpx.get(f"{payments.url}/_sekisho/healthz").json() == {
        "status": "ok",
        "clock": "2026-01-31T14:59:59+00:00",
        "holding": 0,
    }
    assert {customer(client).created for _ in range(2)} == {1_769_871_599}
    httpx.post(url, json={"now": None})
    assert customer(client).created > 1_769_871_599


def test_a_stopped_server_answers_nobody(payments: LocalPayments) -> None:
    with httpx.Client(base_url=payments.url) as kept_alive:
        assert kept_alive.get("/_sekisho/healthz").status_code == 200
        payments.stop()
        with pytest.raises(httpx.TransportError):
            kept_alive.get("/_sekisho/healthz")
    payments.stop()


def test_it_starts_again_with_the_same_data(payments: LocalPayments) -> None:
    made = customer(sdk(payments.url, KEY))
    url = payments.url
    payments.stop()
    payments.start()
    assert payments.url == url
    assert sdk(url).v1.customers.retrieve(made.id).id == made.id
