"""Tasks of this app: thin, safe to run twice, late, or half. portal/celery.py schedules them.

Where AWS cannot be reached nothing is lost: what was to be done is in rows
or in a queue, and the next sweep or poll does it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import shared_task
from django.utils import timezone

from conversions import backend, services
from conversions.services.remakes import Step
from tenants import queue
from tenants.models import ApiKeyVersion, Tenant

log = structlog.get_logger(__name__)


@contextmanager
def _left_to_the_next_run(what: str) -> Iterator[None]:
    try:
        yield
    except backend.BackendError as error:
        log.warning("backend.unreachable", what=what, error=str(error))


@shared_task
def key_publish(_event_id: int, _tenant_id: int, payload: dict[str, Any]) -> None:
    """Tell the functions whose a key is, or that it is gone."""
    version = ApiKeyVersion.objects.select_related("api_key__tenant__usage_plan").get(
        pk=payload["version"]
    )
    with _left_to_the_next_run("key_publish"):
        services.key_publish(version=version, now=timezone.now())


@shared_task
def tenant_publish(_event_id: int, tenant_id: int, _payload: dict[str, Any]) -> None:
    """Tell the functions of a tenant's presets, plan and name."""
    with _left_to_the_next_run("tenant_publish"):
        services.tenant_publish(tenant=Tenant.objects.get(pk=tenant_id), now=timezone.now())


@shared_task
def edge_sweep() -> None:
    """Publish what is not at the edge as it should be."""
    with _left_to_the_next_run("edge_sweep"):
        services.edge_sweep(now=timezone.now())


@shared_task
def results_poll() -> None:
    """Apply what the functions report, and note which jobs died."""
    with _left_to_the_next_run("results_poll"):
        services.results_poll(now=timezone.now())
        services.dead_jobs_poll(now=timezone.now())


@shared_task
def compute_prune() -> None:
    """Forget which tries of the functions were counted, once none can be reported again."""
    services.compute_prune(now=timezone.now())


@shared_task
def uploads_sweep() -> None:
    """Look after what nobody reported on; delete the objects of what was deleted."""
    with _left_to_the_next_run("uploads_sweep"):
        services.uploads_sweep(now=timezone.now())


@shared_task
def uploads_tell() -> None:
    """Tell the functions which uploads are public, and which are gone."""
    with _left_to_the_next_run("uploads_tell"):
        services.uploads_tell()


@shared_task
def leaving_sweep() -> None:
    """Delete all files of the tenants whose grace is over."""
    services.leaving_sweep(now=timezone.now())


@shared_task
def retention_sweep() -> None:
    """Delete what was kept for as long as its tenant's plan says; S3's own rules follow."""
    now = timezone.now()
    services.retention_sweep(now=now)
    with _left_to_the_next_run("lifecycle_apply"):
        services.lifecycle_apply(now=now)


@shared_task
def remake_advance(remake_id: int) -> None:
    """Take one step of a re-making, and queue the next, behind whatever waits meanwhile."""
    with _left_to_the_next_run("remake_advance"):
        step = services.remake_advance(remake_id=remake_id, now=timezone.now())
        if step is Step.MORE:
            queue.send("conversions.tasks.remake_advance", remake_id, queue="default")


@shared_task
def remakes_sweep() -> None:
    """Take up the re-makings that rest, or whose step was lost; note what came of the others."""
    now = timezone.now()
    for remake_id in services.remakes_abandoned(now=now):
        queue.send("conversions.tasks.remake_advance", remake_id, queue="default")
    services.remakes_settle(now=now)


@shared_task
def live_poll() -> None:
    """Fetch what the live meter has counted."""
    with _left_to_the_next_run("live_poll"):
        services.live_poll(now=timezone.now())


@shared_task
def live_probe() -> None:
    """Give the live meter something to count when nobody else does."""
    services.live_probe()
