"""The outbox's tasks. They are here because only the project knows who receives what."""

from celery import shared_task
from django.utils import timezone

from portal.celery import RECEIVERS, app
from tenants.models import OutboxEvent
from tenants.services import outbox


def _send(task_name: str, event: OutboxEvent) -> None:
    app.send_task(task_name, args=[event.pk, event.tenant_id, event.payload], retry=False)


@shared_task
def outbox_relay() -> None:
    """Hand waiting news to its receivers, and go on at the queue's end while there is more."""
    if outbox.outbox_relay(receivers=RECEIVERS, send=_send, now=timezone.now()):
        outbox_relay.apply_async(retry=False)


@shared_task
def outbox_prune() -> None:
    """Forget relayed news after 30 days."""
    outbox.outbox_prune(now=timezone.now())
