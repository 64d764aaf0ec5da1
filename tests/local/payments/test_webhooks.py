"""Events: listed, and delivered with a signature until they are accepted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from portal.local.payments.server import LocalPayments
from tests.env import NOBODY
from tests.local.payments.conftest import CARD, KEY, charge, checkout, customer, page_of, sdk
from tests.local.payments.receiver import SECRET, Receiver, eventually


def test_a_paid_checkout_tells_its_story(
    client: stripe.StripeClient, visitor: httpx.Client, receiver: Receiver
) -> None:
    session = checkout(client, metadata={"order": "7"})
    visitor.post(page_of(session), data=CARD)
    completed = receiver.wait_for("checkout.session.completed")[0]
    told = completed.data.to_dict()["object"]
    assert (told["id"], told["payment_status"]) == (session.id, "paid")
    assert told["metadata"] == {"order": "7"}
    assert not [key for key in told if key.startswith("_")]
    receiver.wait_for("payment_intent.succeeded")
    receiver.wait_for("charge.succeeded")
    listed = [event.type for event in client.v1.events.list().data]
    assert listed == [
        "checkout.session.completed",
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
    ]
    assert client.v1.events.retrieve(completed.id).type == completed.type


def test_the_sdk_refuses_what_was_changed(client: stripe.StripeClient, receiver: Receiver) -> None:
    customer(client)
    receiver.wait_for("customer.created")
    body, signature = receiver.requests[0]
    forged = json.dumps({**json.loads(body), "type": "charge.refunded"})
    for payload, secret in ((forged, SECRET), (body, "whsec_other")):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(payload, signature, secret)


def test_the_signature_has_the_real_time_under_a_pinned_clock(
    client: stripe.StripeClient, control: Callable[..., Any], receiver: Receiver
) -> None:
    control("clock", now="2020-02-29T00:00:00Z")
    customer(client)
    event = receiver.wait_for("customer.created")[0]  # verified against the real time
    assert event.created == 1_582_934_400


def test_repeated_until_accepted(
    client: stripe.StripeClient, control: Callable[..., Any], receiver: Receiver
) -> None:
    receiver.status = 500
    customer(client)
    eventually(lambda: len(receiver.requests) >= 2)
    pending = client.v1.events.list().data[0]
    assert pending.pending_webhooks == 1
    receiver.status = 200
    eventually(lambda: control("webhooks")["deliveries"][0]["state"] == "delivered")
    delivery = control("webhooks")["deliveries"][0]
    assert delivery["attempts"] >= 3
    assert delivery["outcome"] == "HTTP 200"
    assert client.v1.events.retrieve(pending.id).pending_webhooks == 0
    assert len({event.id for event in receiver.events()}) == 1


def test_nobody_there_then_somebody(
    payments: LocalPayments, client: stripe.StripeClient, control: Callable[..., Any]
) -> None:
    payments.webhook_url = NOBODY
    customer(client)
    eventually(lambda: "ConnectError" in (control("webhooks")["deliveries"][0]["outcome"] or ""))
    with Receiver() as late:
        payments.webhook_url = late.url
        late.wait_for("customer.created")


def test_without_a_webhook_nothing_is_queued(
    client: stripe.StripeClient, control: Callable[..., Any]
) -> None:
    made = customer(client)
    assert control("webhooks")["deliveries"] == []
    event = client.v1.events.list().data[0]
    assert event.data.to_dict()["object"]["id"] == made.id
    assert event.pending_webhooks == 0
    assert event.request is not None
    assert event.request.id is not None


def test_a_webhook_needs_a_secret_and_an_address(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="secret"):
        LocalPayments(secret_key=KEY, state_dir=tmp_path, webhook_url="http://127.0.0.1:1/")
    with pytest.raises(Exception, match="http://"):
        LocalPayments(
            secret_key=KEY, state_dir=tmp_path, webhook_secret=SECRET, webhook_url="localhost:1"
        )
    with pytest.raises(ValueError, match="secret key"):
        LocalPayments(secret_key="", state_dir=tmp_path)


def test_held_back_then_let_go(
    client: stripe.StripeClient, control: Callable[..., Any], receiver: Receiver
) -> None:
    control("webhooks", enabled=False)
    made = customer(client)
    event = client.v1.events.list().data[0]
    control("webhooks/redeliver", event=event.id, times=3)
    assert [e.id for e in receiver.wait_for("customer.created", times=3)] == [event.id] * 3
    # What has arrived is noted a moment after it has.
    eventually(lambda: control("webhooks")["pending"] == 1)
    control("webhooks", enabled=True)
    last = receiver.wait_for("customer.created", times=4)[-1]
    assert last.data.to_dict()["object"]["id"] == made.id


def test_lost_for_good(
    client: stripe.StripeClient, control: Callable[..., Any], receiver: Receiver
) -> None:
    control("webhooks", enabled=False)
    customer(client)
    assert control("webhooks", discard=True)["discarded"] == 1
    control("webhooks", enabled=True)
    charge(client)
    receiver.wait_for("payment_intent.succeeded")
    assert receiver.events("customer.created") == []
    assert client.v1.events.list({"type": "customer.created"}).data != []


def test_pending_deliveries_and_holds_survive_a_restart(tmp_path: Path) -> None:
    given: Any = {"secret_key": KEY, "state_dir": tmp_path, "webhook_secret": SECRET}
    with Receiver() as receiver:
        with LocalPayments(**given, webhook_url=receiver.url) as first:
            httpx.post(f"{first.url}/_sekisho/webhooks", json={"enabled": False})
            made = customer(sdk(first.url))
        assert receiver.requests == []
        with LocalPayments(**given, webhook_url=receiver.url) as second:
            report = httpx.get(f"{second.url}/_sekisho/webhooks").json()
            assert (report["enabled"], report["pending"]) == (False, 1)
            httpx.post(f"{second.url}/_sekisho/webhooks", json={"enabled": True})
            event = receiver.wait_for("customer.created")[0]
    assert event.data.to_dict()["object"]["id"] == made.id


def test_events_by_type_and_time(client: stripe.StripeClient, control: Callable[..., Any]) -> None:
    control("clock", now="2026-01-01T00:00:00Z")
    customer(client)
    control("clock", now="2026-01-31T00:00:00Z")
    intent = charge(client)

    def types(**filters: Any) -> list[str]:
        given: Any = filters
        return [event.type for event in client.v1.events.list(given).data]

    assert len(types()) == 4
    assert types(type="customer.created") == ["customer.created"]
    assert types(types=["customer.created", "charge.*"]) == ["charge.succeeded", "customer.created"]
    assert types(created={"lt": intent.created}) == ["customer.created"]
    control("clock", now="2026-01-31T00:00:01Z")
    assert "customer.created" not in types()  # events are listed for 30 days
    with pytest.raises(stripe.InvalidRequestError, match="not both"):
        types(type="a", types=["b"])
