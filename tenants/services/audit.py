"""Write the audit trail. Called inside the transaction of the act that it records."""

from datetime import datetime
from typing import Any

import structlog

from tenants.models import AuditEntry, Tenant, User


def audit_record(
    *,
    action: str,
    tenant: Tenant | None,
    now: datetime,
    actor: User | None = None,
    target: str = "",
    **data: Any,
) -> AuditEntry:
    """Record one act. `actor` is None for the system itself.

    The address comes from the request's log context (portal/middleware.py); there is none in a
    worker.
    """
    address = structlog.contextvars.get_contextvars().get("address")
    return AuditEntry.objects.create(
        tenant=tenant,
        actor=actor,
        action=action,
        target=target,
        data=data,
        address=address,
        at=now,
    )
