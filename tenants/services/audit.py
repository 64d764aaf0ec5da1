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
    """Record one act. `actor` is None for the system itself, and for a machine's token.

    The address comes from the request's log context (portal/middleware.py), as does the token that
    it was done with (tenants/authentication.py); there are none in a worker.
    """
    context = structlog.contextvars.get_contextvars()
    if "api_token" in context:
        data["api_token"] = context["api_token"]
    return AuditEntry.objects.create(
        tenant=tenant,
        actor=actor,
        action=action,
        target=target,
        data=data,
        address=context.get("address"),
        at=now,
    )
