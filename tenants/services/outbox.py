"""News for the apps above, written in the transaction that makes it.

`outbox_relay` hands each event to the tasks that portal/celery.py lists for its kind. It marks an
event only after the broker took all of its tasks, so a crash repeats some: receivers are
idempotent. A beat sweep relays what a lost broker left.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from tenants import queue
from tenants.models import OutboxEvent, Tenant

KEEP = timedelta(days=30)
BATCH = 200


def outbox_publish(
    *, kind: str, tenant: Tenant | None, now: datetime, **payload: Any
) -> OutboxEvent:
    """Write one event and have it relayed once the surrounding transaction commits."""
    event = OutboxEvent.objects.create(kind=kind, tenant=tenant, payload=payload, created_at=now)
    queue.on_commit("portal.tasks.outbox_relay", queue="default")
    return event


def outbox_publish_all(
    *, kind: str, about: Iterable[tuple[int, dict[str, Any]]], now: datetime
) -> None:
    """Write an event for each tenant's id and payload, and have them relayed likewise."""
    events = OutboxEvent.objects.bulk_create(
        OutboxEvent(kind=kind, tenant_id=tenant_id, payload=payload, created_at=now)
        for tenant_id, payload in about
    )
    if events:
        queue.on_commit("portal.tasks.outbox_relay", queue="default")


def outbox_relay(
    *,
    receivers: Mapping[str, Sequence[str]],
    send: Callable[..., None],
    now: datetime,
) -> bool:
    """Hand waiting events to their receivers, oldest first; return whether more may wait.

    One run takes BATCH of them, so that it ends soon also where a month's close made thousands.
    `send(task_name, event)` raises where the broker cannot be reached; the rest then waits.
    """
    waiting = OutboxEvent.objects.filter(relayed_at=None).select_related("tenant").order_by("id")
    relayed = 0
    for event in waiting[:BATCH]:
        for task_name in receivers.get(event.kind, ()):
            send(task_name, event)
        OutboxEvent.objects.filter(pk=event.pk).update(relayed_at=now)
        relayed += 1
    return relayed == BATCH


def outbox_prune(*, now: datetime) -> int:
    """Forget relayed events after 30 days; return how many."""
    with transaction.atomic():
        deleted, _ = OutboxEvent.objects.filter(relayed_at__lt=now - KEEP).delete()
    return deleted
