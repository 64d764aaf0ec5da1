"""Tasks of this app: thin, safe to run twice, late, or half. portal/celery.py schedules them."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from conversions import backend, services
from tenants.models import ApiKeyVersion, Tenant


@shared_task
def key_publish(_event_id: int, _tenant_id: int, payload: dict[str, Any]) -> None:
    """Tell the functions whose a key is, or that it is gone. A failure is left to the sweep."""
    version = ApiKeyVersion.objects.select_related("api_key__tenant__usage_plan").get(
        pk=payload["version"]
    )
    services.key_publish(version=version, now=timezone.now())


@shared_task
def tenant_publish(_event_id: int, tenant_id: int, _payload: dict[str, Any]) -> None:
    """Tell the functions of a tenant's presets, plan and name."""
    services.tenant_publish(tenant=Tenant.objects.get(pk=tenant_id), now=timezone.now())


@shared_task
def edge_sweep() -> None:
    """Publish what is not at the edge as it should be."""
    services.edge_sweep(now=timezone.now())


@shared_task
def results_poll() -> None:
    """Apply what the functions report. An unreachable queue is asked again by the next beat."""
    try:
        services.results_poll(now=timezone.now())
    except backend.BackendUnavailable:
        return


@shared_task
def uploads_sweep() -> None:
    """End what nobody reported on; delete the objects of what was deleted."""
    services.uploads_sweep(now=timezone.now())
