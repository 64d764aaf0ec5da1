"""Ask for a tenant's gateway state to be made what its rows say (see reconcile.py)."""

from datetime import datetime

from django.db.models import F

from tenants import queue
from tenants.models import Tenant

STOP = "gateway_stop"  # what must not wait for anybody
URGENT = "gateway_urgent"  # what a tenant waits for
ROUTINE = "gateway"


def reconcile_request(*, tenant: Tenant, now: datetime, lane: str = URGENT) -> None:
    """Note the intent in the current transaction, and queue the work for when it commits.

    The row is what counts: a task that is lost is found by the sweep.
    """
    Tenant.objects.filter(pk=tenant.pk).update(
        reconcile_at=now, reconcile_revision=F("reconcile_revision") + 1, reconcile_attempts=0
    )
    queue.on_commit("tenants.tasks.tenant_reconcile", tenant.pk, queue=lane)
