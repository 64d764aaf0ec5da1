"""The webhooks' pages, as members use them."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tenants.models import AuditEntry, DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.services.webhook_delivery import endpoint_deliver
from tests.cast import PASSWORD, Cast
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob(cast: Cast, client: Client) -> Client:
    """A developer's browser."""
    assert client.login(email=cast.bob.email, password=PASSWORD)
    return client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def secret_in(text: str) -> str:
    shown = re.search(r'data-testid="webhook-secret">(whsec_[^<]+)<', text)
    assert shown is not None
    return shown[1]


def added(client: Client, url: str, *event_types: str) -> WebhookEndpoint:
    form = {"url": url, "description": "Staging", "event_types": event_types}
    answer = client.post("/settings/webhooks/create/", form)
    endpoint = WebhookEndpoint.objects.latest("id")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/settings/webhooks/{endpoint.uuid}/"
    return endpoint


def test_from_the_empty_page_to_a_verified_test_event(bob: Client, receiver: Receiver) -> None:
    empty = page(bob, "/settings/webhooks/")
    assert "No endpoint yet" in empty
    assert "standardwebhooks" in empty
    endpoint = added(bob, receiver.url, "key.revoked")
    own = f"/settings/webhooks/{endpoint.uuid}/"
    secret = secret_in(page(bob, own))
    assert "whsec_" not in page(bob, own)
    delivery = bob.post(f"{own}test/").headers["Location"]
    assert 'hx-trigger="every 1s"' in page(bob, delivery)
    receiver.answer(201, {}, b"<b>thanks</b>")
    endpoint_deliver(endpoint_id=endpoint.pk, clock=timezone.now)
    (event,) = receiver.verified(secret)
    assert event["type"] == "webhook.test"
    polled = page(bob, f"{delivery}state/")
    assert "hx-trigger" not in polled
    assert "&lt;b&gt;thanks&lt;/b&gt;" in polled
    assert "Succeeded" in page(bob, f"{own}?state=succeeded")
    assert "Nothing to show" in page(bob, f"{own}?state=failed")


def test_what_is_wrong_is_said_on_the_form(bob: Client) -> None:
    form = {"url": "http://169.254.169.254/latest/meta-data/", "event_types": []}
    answer = bob.post("/settings/webhooks/create/", form)
    assert (answer.status_code, WebhookEndpoint.objects.count()) == (400, 0)
    assert "Use https" in answer.content.decode()
    form = {"url": "https://hooks.example.com/", "event_types": ["no.such"]}
    assert bob.post("/settings/webhooks/create/", form).status_code == 400


def test_it_is_changed_disabled_rotated_replayed_and_deleted(bob: Client, cast: Cast) -> None:
    endpoint = added(bob, "https://hooks.example.com/")
    own = f"/settings/webhooks/{endpoint.uuid}/"
    old = secret_in(page(bob, own))
    form = {"url": "https://hooks.example.com/2", "event_types": ["key.active"]}
    assert bob.post(f"{own}edit/", form).status_code == 302
    assert "https://hooks.example.com/2" in page(bob, f"{own}edit/")
    bob.post(f"{own}rotate/")
    rotated = page(bob, own)
    assert secret_in(rotated) != old
    assert "signs as well until" in rotated
    bob.post(f"{own}test/")
    assert "on its way already" in bob.post(f"{own}test/", follow=True).content.decode()
    bob.post(f"{own}disable/")
    assert "Disabled by a member".lower() in page(bob, own).lower()
    delivery = WebhookDelivery.objects.get()
    assert delivery.state == DeliveryState.FAILED
    again = f"/settings/webhooks/deliveries/{delivery.uuid}/replay/"
    assert "is disabled" in bob.post(again, follow=True).content.decode()
    bob.post(f"{own}enable/")
    bob.post(again)
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.PENDING
    delivery.event.type = "key.active"
    delivery.event.save()
    WebhookDelivery.objects.update(state=DeliveryState.FAILED)
    since = {"since": (timezone.now() - timedelta(days=1)).date()}
    assert "1 event is sent again" in bob.post(f"{own}replay/", since, follow=True).content.decode()
    assert "Choose a day." in bob.post(f"{own}replay/", follow=True).content.decode()
    bob.post(f"{own}delete/")
    assert not WebhookDelivery.objects.exists()
    acts = AuditEntry.objects.filter(action__startswith="webhook.").order_by("id")
    assert list(acts.values_list("action", "actor__email")) == [
        (f"webhook.{act}", cast.bob.email)
        for act in (
            "created", "updated", "secret_rotated", "tested", "disabled", "enabled", "replayed",
            "failed_replayed", "deleted",
        )
    ]  # fmt: skip


def test_the_log_has_pages(bob: Client, cast: Cast) -> None:
    endpoint = added(bob, "https://hooks.example.com/")
    now = timezone.now()
    for _ in range(26):
        event = WebhookEvent.objects.create(
            tenant=cast.alice_corp, type="key.active", occurred_at=now
        )
        WebhookDelivery.objects.create(event=event, endpoint=endpoint, created_at=now)
    own = f"/settings/webhooks/{endpoint.uuid}/"
    first = page(bob, own)
    assert first.count('href="/settings/webhooks/deliveries/') == 25
    older = re.search(r'href="(\?before=[^"#]+)', first)
    assert older is not None
    second = page(bob, own + older[1])
    assert second.count('href="/settings/webhooks/deliveries/') == 1
    assert 'href="?before=' not in second
    assert page(bob, f"{own}?state=x&before=y").count('href="/settings/webhooks/deliveries/') == 25
