"""What webhook endpoints are told: news of the outbox, test events, and what is told again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from tenants import queue, selectors
from tenants.errors import NotInThisState, Refused
from tenants.models import (
    AuditEntry,
    DeliveryState,
    OutboxEvent,
    Tenant,
    User,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from tenants.services.audit import audit_record
from tenants.services.outbox import outbox_publish_all
from tenants.services.webhooks import endpoint_locked
from tenants.webhook_types import TEST, Data, event_type

KEEP = timedelta(days=30)
# What a tenant may have sent within an hour: whose server it goes to, nobody has asked.
MOST = {"webhook.tested": 30, "webhook.replayed": 100, "webhook.failed_replayed": 10}
MOST_REPLAYED = 1000  # events at a time


def webhook_tell(*, kind: str, about: Sequence[tuple[Tenant, Data]], now: datetime) -> None:
    """Write news that nobody but webhooks hears of, for the tenants among these that listen.

    Part of the transaction of what happened. Most tenants have no endpoint, and cost no row.
    """
    listeners = selectors.webhook_listeners(
        event_type=kind, tenant_ids=[tenant.pk for tenant, _data in about]
    )
    news = ((tenant.pk, data) for tenant, data in about if tenant.pk in listeners)
    outbox_publish_all(kind=kind, about=news, now=now)


@transaction.atomic
def webhook_announce(*, news_id: int, now: datetime) -> None:
    """Make an event of a piece of news, for the endpoints that want it; again does nothing."""
    news = OutboxEvent.objects.select_related("tenant").filter(pk=news_id).first()
    if news is None or news.tenant is None or (type_ := event_type(news.kind)) is None:
        return
    # Locked, lest one is disabled meanwhile and its delivery waits for ever.
    active = WebhookEndpoint.objects.select_for_update().filter(
        tenant=news.tenant, disabled_at=None
    )
    endpoints = [each for each in active.order_by("id") if each.wants(type_.name)]
    if not endpoints:
        return
    event, is_new = WebhookEvent.objects.get_or_create(
        news=news,
        defaults={
            "tenant": news.tenant,
            "type": type_.name,
            "data": type_.data(news),
            "occurred_at": news.created_at,
        },
    )
    if is_new:
        for endpoint in endpoints:
            _delivery_create(event=event, endpoint=endpoint, now=now)


def _delivery_create(
    *, event: WebhookEvent, endpoint: WebhookEndpoint, now: datetime
) -> WebhookDelivery:
    delivery = WebhookDelivery.objects.create(
        event=event, endpoint=endpoint, next_attempt_at=now, created_at=now
    )
    _send_soon(endpoint)
    return delivery


def _send_soon(endpoint: WebhookEndpoint) -> None:
    queue.on_commit("tenants.tasks.webhooks_deliver", endpoint.pk, queue="webhooks")


def _endpoint_to_ask(endpoint: WebhookEndpoint, *, action: str, now: datetime) -> WebhookEndpoint:
    """Lock an endpoint to send what somebody asks for, and its tenant, whose requests are counted.

    Raise NotInThisState where it is disabled, Refused for one request too many within an hour.
    """
    endpoint = endpoint_locked(endpoint)
    if not endpoint.is_active:
        raise NotInThisState(_("This endpoint is disabled."))
    asked = AuditEntry.objects.filter(
        tenant=endpoint.tenant, action=action, at__gt=now - timedelta(hours=1)
    )
    if asked.count() >= MOST[action]:
        raise Refused(
            _("You asked for this %(count)d times within an hour; please wait a while.")
            % {"count": MOST[action]}
        )
    return endpoint


@transaction.atomic
def webhook_test_send(
    *, endpoint: WebhookEndpoint, actor: User | None, now: datetime
) -> WebhookDelivery:
    """Send a test event to one endpoint. It is tried once.

    Raise NotInThisState where the endpoint is disabled, or another test is on its way, Refused
    where the tenant has asked for very many of late.
    """
    endpoint = _endpoint_to_ask(endpoint, action="webhook.tested", now=now)
    tests = endpoint.deliveries.filter(event__type=TEST, state=DeliveryState.PENDING)
    if tests.exists():
        raise NotInThisState(_("A test event is on its way already."))
    type_ = event_type(TEST)
    event = WebhookEvent.objects.create(
        tenant=endpoint.tenant,
        type=TEST,
        data=type_.example if type_ else {},
        occurred_at=now,
    )
    audit_record(
        action="webhook.tested", tenant=endpoint.tenant, actor=actor, now=now,
        target=endpoint.url[:200],
    )  # fmt: skip
    return _delivery_create(event=event, endpoint=endpoint, now=now)


@transaction.atomic
def webhook_replay(*, delivery: WebhookDelivery, actor: User | None, now: datetime) -> None:
    """Tell an event again under its old id, with the whole schedule before it.

    Raise NotInThisState while it is still pending, or its endpoint is disabled, Refused where the
    tenant has asked for very many of late.
    """
    endpoint = _endpoint_to_ask(delivery.endpoint, action="webhook.replayed", now=now)
    over = endpoint.deliveries.filter(pk=delivery.pk).exclude(state=DeliveryState.PENDING)
    if not over.update(state=DeliveryState.PENDING, attempts=0, next_attempt_at=now):
        raise NotInThisState(_("This event is on its way already."))
    audit_record(
        action="webhook.replayed", tenant=endpoint.tenant, actor=actor, now=now,
        target=endpoint.url[:200], event=str(delivery.event.uuid),
    )  # fmt: skip
    _send_soon(endpoint)


@transaction.atomic
def webhook_replay_failed(
    *, endpoint: WebhookEndpoint, since: datetime, actor: User | None, now: datetime
) -> int:
    """Tell again what happened since then and could not be told; return how many events.

    It takes the oldest, MOST_REPLAYED of them; asked again, the next. Tests are left alone.

    Raise NotInThisState where the endpoint is disabled, Refused where the tenant has asked for it
    very often of late.
    """
    endpoint = _endpoint_to_ask(endpoint, action="webhook.failed_replayed", now=now)
    failed = endpoint.deliveries.filter(state=DeliveryState.FAILED, event__occurred_at__gte=since)
    oldest = failed.exclude(event__type=TEST).order_by("event__occurred_at", "id")
    count = endpoint.deliveries.filter(pk__in=oldest.values("pk")[:MOST_REPLAYED]).update(
        state=DeliveryState.PENDING, attempts=0, next_attempt_at=now
    )
    if count:
        audit_record(
            action="webhook.failed_replayed", tenant=endpoint.tenant, actor=actor, now=now,
            target=endpoint.url[:200], since=since.isoformat(), count=count,
        )  # fmt: skip
        _send_soon(endpoint)
    return count


def webhooks_prune(*, now: datetime) -> None:
    """Forget events with their deliveries 30 days after, but what is still to be told."""
    old = WebhookEvent.objects.filter(occurred_at__lt=now - KEEP)
    old.exclude(deliveries__state=DeliveryState.PENDING).delete()
