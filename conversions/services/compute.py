"""What the functions' work took: counted for the tenant it was done for, never billed to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from tenants.models import Meter, Tenant
from tenants.services import usage_record, usage_records_prune

log = structlog.get_logger(__name__)
KEEP = timedelta(days=15)  # a report may come again while the results queue keeps it: 14 days


def compute_note(*, body: dict[str, Any], now: datetime) -> None:
    """Count a try of a unit of work, once by its key, on the UTC day on which it is reported.

    It cost what it did also where the upload is deleted since, or nothing came of it.
    """
    tenant = Tenant.objects.filter(uuid=body["tenant"]).first()
    if tenant is None:
        log.warning("result.unknown_tenant", tenant=body["tenant"])
        return
    usage_record(
        tenant=tenant,
        meter=Meter.COMPUTE,
        key=body["key"],
        day=now.astimezone(UTC).date(),
        now=now,
        quantity=body["megabyte_milliseconds"],
    )


def compute_prune(*, now: datetime) -> int:
    """Forget which tries were counted, once none can be reported again; return how many."""
    before = (now - KEEP).astimezone(UTC).date()
    return usage_records_prune(meter=Meter.COMPUTE, before=before)
