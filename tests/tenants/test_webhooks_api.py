"""Webhooks by the management API: what the pages do, by a program."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.response import Response

from tenants.models import (
    AuditEntry,
    OutboxEvent,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from tenants.preconditions import change_as_read
from tenants.scopes import Scope
from tenants.services import (
    api_token_create,
    tenant_update,
    webhook_endpoint_create,
    webhook_endpoint_disable,
    webhook_test_send,
)
from tenants.services.webhook_delivery import endpoint_deliver
from tenants.services.webhook_events import webhook_announce
from tests.cast import PASSWORD, Cast
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db
ALL = "/api/v1/webhooks/"


@pytest.fixture
def bob(cast: Cast, client: Client) -> Client:
    assert client.login(email=cast.bob.email, password=PASSWORD)
    return client


def told(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return answer.json()


def send(client: Client, method: str, address: str, **body: Any) -> Any:
    return client.generic(method, address, json.dumps(body), content_type="application/json")


def program(cast: Cast, *scopes: Scope) -> Client:
    _token, value = api_token_create(
        tenant=cast.alice_corp, user=None, name="ci", scopes=scopes, days=1, actor=cast.alice,
        now=timezone.now(),
    )  # fmt: skip
    return Client(headers={"Authorization": f"Bearer {value}"})


def test_a_machines_token_needs_the_scope(cast: Cast) -> None:
    url = "https://hooks.example.com/"
    refused = told(send(program(cast, Scope.WEBHOOKS_READ), "POST", ALL, url=url), 403)
    assert refused["scope"] == "webhooks:write"
    told(send(program(cast, *Scope), "POST", ALL, url=url), 201)
    entry = AuditEntry.objects.get(action="webhook.created")
    assert entry.actor is None


def test_a_token_hears_of_nothing_that_it_may_not_read(cast: Cast) -> None:
    writes = [Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE]
    lame, keys = program(cast, *writes), program(cast, *writes, Scope.KEYS_READ)
    mine, own_url = "https://thief.example.com/", "https://hooks.example.com/"

    def missing(client: Client, method: str, address: str, **body: Any) -> str:
        return str(told(send(client, method, address, **body), 403)["scope"])

    assert missing(lame, "POST", ALL, url=mine, event_types=["key.active"]) == "keys:read"
    assert missing(keys, "POST", ALL, url=mine) == "alerts:read"  # of all, those to come too
    made = told(send(keys, "POST", ALL, url=own_url, event_types=["key.active"]), 201)
    own = f"{ALL}{made['id']}/"
    wanted = {"event_types": ["key.active"], "description": "x"}
    told(send(keys, "PUT", own, url=mine, **wanted))
    # What was told of, and is sent there later or again, counts as well.
    endpoint = WebhookEndpoint.objects.get()
    delivery = webhook_test_send(endpoint=endpoint, actor=cast.alice, now=timezone.now())
    WebhookEvent.objects.update(type="invoice.paid", data={"total": 2900})
    told(send(keys, "PUT", own, url=mine, **wanted))
    assert missing(keys, "PUT", own, url=own_url, **wanted) == "billing:read"
    # Nor is it read.
    WebhookAttempt.objects.create(
        delivery=delivery, url=mine, started_at=timezone.now(), answer="2900", status=200,
        request_headers={},
    )  # fmt: skip
    read = told(keys.get(f"{ALL}deliveries/{delivery.uuid}/"))
    assert (read["payload"], read["tries"][0]["answer"]) == (None, "")
    buyer = program(cast, Scope.WEBHOOKS_READ, Scope.BILLING_READ)
    read = told(buyer.get(f"{ALL}deliveries/{delivery.uuid}/"))
    assert (read["payload"], read["tries"][0]["answer"]) == ({"total": 2900}, "2900")


def test_what_is_wrong_in_itself_is_pointed_at(bob: Client) -> None:
    url = "https://hooks.example.com/"
    wrong: list[dict[str, Any]] = [
        {"url": "nowhere"},
        {"url": url, "event_types": ["key.active", "key.eaten"]},
    ]
    pointers = [told(send(bob, "POST", ALL, **each), 400)["errors"][0]["pointer"] for each in wrong]
    assert pointers == ["#/url", "#/event_types/1"]
    for _ in range(10):
        told(send(bob, "POST", ALL, url=url), 201)
    assert told(send(bob, "POST", ALL, url=url), 409)["code"] == "refused"


def test_an_endpoint_is_added_tested_changed_and_deleted(bob: Client) -> None:
    with Receiver() as receiver:
        made = told(send(bob, "POST", ALL, url=receiver.url, event_types=["key.active"]), 201)
        own = f"{ALL}{made['id']}/"
        assert "secret" not in told(bob.get(own))
        assert told(bob.get(ALL)) == [told(bob.get(own))]
        test = told(send(bob, "POST", f"{own}test/"), 202)
        assert told(send(bob, "POST", f"{own}test/"), 409)["code"] == "not_in_this_state"
        rotated = told(send(bob, "POST", f"{own}rotate/"), 201)
        endpoint = WebhookEndpoint.objects.get()
        endpoint_deliver(endpoint_id=endpoint.pk, clock=timezone.now)
        assert receiver.verified(made["secret"]) == receiver.verified(rotated["secret"])
    one = f"{ALL}deliveries/{test['id']}/"
    read = told(bob.get(one))
    assert (read["state"], read["webhook_id"]) == ("succeeded", test["webhook_id"])
    assert [each["status"] for each in read["tries"]] == [204]
    assert told(bob.get(f"{own}deliveries/?state=succeeded")) == [test | {
        "state": "succeeded", "attempts": 1, "next_attempt_at": None,
    }]  # fmt: skip
    assert told(bob.get(f"{own}deliveries/?state=failed&limit=1")) == []
    assert told(bob.get(f"{own}deliveries/?state=lost"), 400)["code"] == "invalid"
    assert told(send(bob, "POST", f"{one}replay/"), 202)["state"] == "pending"

    changed = told(send(bob, "PUT", own, url="https://hooks.example.com/2", is_active=False))
    assert (changed["url"], changed["event_types"]) == ("https://hooks.example.com/2", [])
    assert (changed["is_active"], changed["disabled_reason"]) == (False, "member")
    since = {"since": "2026-01-01T00:00:00Z"}
    assert told(send(bob, "POST", f"{own}replay/", **since), 409)["code"] == "not_in_this_state"
    assert told(send(bob, "PUT", own, url="https://hooks.example.com/2"))["is_active"]
    WebhookEvent.objects.update(type="key.active")
    assert told(send(bob, "POST", f"{own}replay/", **since), 202) == {"count": 1}
    bad = told(send(bob, "PUT", own, url="http://10.0.0.1/"), 400)
    assert [each["pointer"] for each in bad["errors"]] == ["#/url"]
    assert send(bob, "DELETE", own).status_code == 204
    assert told(bob.get(ALL)) == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
@pytest.mark.django_db(transaction=True)
def test_if_match_holds_up_who_changes_and_nobody_who_tells(cast: Cast) -> None:
    now = timezone.now()
    endpoint = webhook_endpoint_create(
        tenant=cast.alice_corp, url="https://hooks.example.com/", description="", event_types=[],
        actor=cast.alice, now=now,
    )  # fmt: skip
    tenant_update(tenant=cast.alice_corp, name="A", language="en", actor=cast.alice, now=now)
    news = OutboxEvent.objects.get(kind="tenant.updated")

    def disable() -> None:
        webhook_endpoint_disable(endpoint=endpoint, actor=cast.alice, now=now)

    def read() -> Response:
        return Response({})

    def change() -> Response:
        _elsewhere(lambda: webhook_announce(news_id=news.pk, now=now))
        with pytest.raises(OperationalError, match="lock timeout"):
            _elsewhere(disable)
        disable()
        return read()

    change_as_read(tenant=cast.alice_corp, known="*", read=read, change=change)
    assert WebhookDelivery.objects.count() == 1
    assert not WebhookEndpoint.objects.get().is_active


def _elsewhere(act: Callable[[], object]) -> None:
    """Do it over another connection, which does not wait long for a lock."""

    def run() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
