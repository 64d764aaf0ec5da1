"""Alice's organisation has endpoints and news, and a clock that the test moves."""

import uuid
from datetime import datetime

from django.utils import timezone

from tenants import services
from tenants.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tenants.services import webhook_events
from tenants.services.webhook_delivery import endpoint_deliver
from tests.cast import Cast


class Clock:
    """Starts now, since receivers refuse other timestamps; moved by the test."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self) -> datetime:
        return self.now


def endpoint_of(cast: Cast, url: str, *event_types: str) -> WebhookEndpoint:
    return services.webhook_endpoint_create(
        tenant=cast.alice_corp,
        url=url,
        description="",
        event_types=event_types,
        actor=cast.alice,
        now=timezone.now(),
    )


def secret_of(endpoint: WebhookEndpoint) -> str:
    secret = services.webhook_secret_reveal(endpoint=endpoint, now=timezone.now())
    assert secret is not None
    return secret


def happen(cast: Cast, *, now: datetime) -> WebhookDelivery:
    """Rename Alice's organisation, and have the news announced; return the newest delivery."""
    services.tenant_update(
        tenant=cast.alice_corp,
        name=f"Alice {uuid.uuid4()}",
        language="en",
        actor=cast.alice,
        now=now,
    )
    news = OutboxEvent.objects.filter(kind="tenant.updated").latest("id")
    webhook_events.webhook_announce(news_id=news.pk, now=now)
    return WebhookDelivery.objects.latest("id")


def deliver(endpoint: WebhookEndpoint, clock: Clock) -> bool:
    return endpoint_deliver(endpoint_id=endpoint.pk, clock=clock)
