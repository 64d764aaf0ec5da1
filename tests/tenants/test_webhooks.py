"""Webhooks to tenants, to a server that verifies them: who is sent what, and how it is signed."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from portal.celery import RECEIVERS, WEBHOOKS
from tenants import selectors, services, webhook_types
from tenants.errors import Refused
from tenants.models import (
    DeliveryState,
    GrantKind,
    OutboxEvent,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from tenants.services import webhook_delivery, webhook_events
from tests.cast import Cast
from tests.conftest import RunTasks
from tests.receiver import Receiver
from tests.tenants.webhooks import Clock, deliver, endpoint_of, happen, secret_of


def test_news_reaches_who_asked_for_it_and_nobody_else(
    cast: Cast, receiver: Receiver, run_tasks: RunTasks
) -> None:
    endpoint = endpoint_of(cast, receiver.url, "tenant.updated")
    endpoint_of(cast, receiver.url, "key.revoked")
    services.webhook_endpoint_create(
        tenant=cast.charlie_corp, url=receiver.url, description="", event_types=[],
        actor=cast.charlie, now=timezone.now(),
    )  # fmt: skip
    services.tenant_update(
        tenant=cast.alice_corp, name="Alice & 関所", language="ja", actor=cast.alice,
        now=timezone.now(),
    )  # fmt: skip
    run_tasks("default", "webhooks")
    (told,) = receiver.verified(secret_of(endpoint))
    event = WebhookEvent.objects.get()
    assert told["type"] == "tenant.updated"
    assert told["data"] == {
        "id": str(cast.alice_corp.uuid), "name": "Alice & 関所", "language": "ja",
    }  # fmt: skip
    assert datetime.fromisoformat(told["timestamp"]) == event.occurred_at
    ((headers, _),) = receiver.taken
    assert headers["webhook-id"] == str(event.uuid)
    assert headers["content-type"] == "application/json"
    delivery = WebhookDelivery.objects.get()
    attempt = delivery.attempt_set.get()
    assert (delivery.state, attempt.status) == (DeliveryState.SUCCEEDED, 204)
    assert WebhookEndpoint.objects.get(pk=endpoint.pk).claimed_until is None


@pytest.mark.django_db
def test_news_that_comes_twice_is_one_event(cast: Cast, receiver: Receiver, clock: Clock) -> None:
    endpoint = endpoint_of(cast, receiver.url)
    happen(cast, now=clock.now)
    news = OutboxEvent.objects.filter(kind="tenant.updated").latest("id")
    webhook_events.webhook_announce(news_id=news.pk, now=clock.now)
    assert deliver(endpoint, clock) is False
    assert len(receiver.taken) == 1


@pytest.mark.django_db
def test_every_type_is_relayed_and_has_data_like_its_example(cast: Cast) -> None:
    relayed = {kind for kind, tasks in RECEIVERS.items() if WEBHOOKS in tasks}
    types = {each.name: each for each in webhook_types.event_types()}
    assert relayed == set(types) - {webhook_types.TEST}
    version = cast.alice_corp.api_keys.get().versions.get()
    payload = {"version": version.pk, "expires_at": "2026-12-01T00:00:00+00:00"}
    for name in ("key.active", "key.expires", "tenant.updated"):
        news = OutboxEvent(kind=name, tenant=cast.alice_corp, payload=payload)
        assert set(types[name].data(news)) == set(types[name].example)


@pytest.mark.django_db
def test_only_who_listens_costs_a_row(cast: Cast) -> None:
    """And what is written is like the example."""
    endpoint_of(cast, "https://hooks.example.com/", "key.created", "extension.granted")
    now = timezone.now()
    for tenant, actor in ((cast.alice_corp, cast.alice), (cast.charlie_corp, cast.charlie)):
        version = services.api_key_create(tenant=tenant, name="ci", actor=actor, now=now)
        services.api_key_rotate(api_key=version.api_key, overlap=timedelta(0), actor=actor, now=now)
        services.quota_grant(
            tenant=tenant,
            requests=100,
            kind=GrantKind.EXTENSION,
            source=f"order:{tenant.uuid}",
            period_start=selectors.current_period(tenant=tenant, now=now).start,
            now=now,
        )
    told = OutboxEvent.objects.filter(kind__in=["key.created", "key.rotated", "extension.granted"])
    assert set(told.values_list("kind", "tenant")) == {
        ("key.created", cast.alice_corp.pk),
        ("extension.granted", cast.alice_corp.pk),
    }
    example = next(e for e in webhook_types.event_types() if e.name == "extension.granted").example
    assert set(told.get(kind="extension.granted").payload) == set(example)


@pytest.mark.django_db
class TestSecrets:
    def test_it_is_shown_once_and_nowhere_in_the_database(self, cast: Cast) -> None:
        endpoint = endpoint_of(cast, "https://hooks.example.com/")
        secret = secret_of(endpoint)
        assert services.webhook_secret_reveal(endpoint=endpoint, now=timezone.now()) is None
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM tenants_webhookendpoint")
            assert secret.removeprefix("whsec_") not in str(cursor.fetchall())

    def test_both_sign_for_a_day_and_then_only_the_new_one(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        old = secret_of(endpoint)
        services.webhook_secret_rotate(endpoint=endpoint, actor=cast.alice, now=clock.now)
        new = secret_of(endpoint)
        happen(cast, now=clock.now)
        deliver(endpoint, clock)
        assert receiver.verified(old) == receiver.verified(new)
        assert len(receiver.taken[0][0]["webhook-signature"].split(" ")) == 2
        with pytest.raises(WebhookVerificationError):
            receiver.verified("whsec_" + "A" * 43 + "=")
        endpoint.refresh_from_db()
        event = WebhookEvent.objects.get()
        later = webhook_delivery.headers_of(
            event, endpoint=endpoint, now=clock.now + timedelta(hours=24)
        )
        body = webhook_delivery.body_of(event)
        at = clock.now + timedelta(hours=24)
        assert later["webhook-signature"] == Webhook(new).sign(str(event.uuid), at, body)


@pytest.mark.django_db
def test_what_an_endpoint_may_not_be(cast: Cast) -> None:
    for url in (
        "", "hooks.example.com", "ftp://hooks.example.com/", "http://hooks.example.com/",
        "http://10.0.0.1/", "https://", "https://u:p@hooks.example.com/", "https://a.example/#b",
        "https://0177.0.0.1/", "https://a b/", "https://a.example:99999/", "https://[fe80::1%25eth0]/",
        "https://a.example/" + "a" * 500,
    ):  # fmt: skip
        with pytest.raises(Refused):
            endpoint_of(cast, url)
    with pytest.raises(Refused):
        endpoint_of(cast, "https://hooks.example.com/", "no.such.event")
    assert endpoint_of(cast, " https://例え.jp/フック ").url.startswith("https://")
    for n in range(9):
        endpoint_of(cast, f"https://hooks.example.com/{n}")
    with pytest.raises(Refused):
        endpoint_of(cast, "https://hooks.example.com/")


def test_the_documentation_lists_the_types(settings: Any) -> None:
    table = (settings.BASE_DIR / "docs" / "webhooks.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE))
    assert listed == {each.name for each in webhook_types.event_types()}
