"""Write the audit trail. Called inside the transaction of the act that it records."""

from datetime import datetime
from typing import Any

import structlog

from tenants.models import ActorKind, AuditEntry, Member, Tenant, User


def audit_record(
    *,
    action: str,
    tenant: Tenant | None,
    now: datetime,
    actor: User | str | None = None,
    target: str = "",
    **data: Any,
) -> AuditEntry:
    """Record one act, which an `audit_words` module puts into words.

    `actor` is None for the system itself, and for a machine's token; a mail address for somebody
    who acts by a link that was sent there.
    The address comes from the request's log context (portal/middleware.py), as does the token that
    it was done with (tenants/authentication.py); there are none in a worker.
    """
    context = structlog.contextvars.get_contextvars()
    if "api_token" in context:
        data["api_token"] = context["api_token"]
    if isinstance(actor, User):
        kind, name = _kind(actor, tenant), actor.email
    elif actor is not None:
        kind, name = ActorKind.GUEST, actor
    elif "api_token" in context:
        kind, name = ActorKind.TOKEN, context["api_token_name"]
    else:
        kind, name = ActorKind.SYSTEM, ""
    return AuditEntry.objects.create(
        tenant=tenant,
        actor=actor if isinstance(actor, User) else None,
        actor_kind=kind,
        actor_name="" if kind == ActorKind.OPERATOR else name,
        action=action,
        target=target,
        data=data,
        address=context.get("address"),
        at=now,
    )


def _kind(actor: User, tenant: Tenant | None) -> ActorKind:
    is_operator = actor.is_staff and not Member.objects.filter(tenant=tenant, user=actor).exists()
    return ActorKind.OPERATOR if is_operator else ActorKind.MEMBER
