"""What was done in a tenant: the audit trail, newest first."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Case, QuerySet, When

from tenants.audit_words import actions_of
from tenants.models import ActorKind, AuditEntry, Tenant

# What a file of them says, by the fields it is read from.
AUDIT_COLUMNS = {
    "at": "at", "actor": "actor_name", "actor_kind": "actor_kind", "action": "action",
    "target": "target", "address": "told_address", "details": "data",
}  # fmt: skip


@dataclass(frozen=True)
class AuditFilter:
    """What to look for; empty is anything. Days are UTC, both included.

    `actor` is an actor's name, or an ActorKind for all of that kind; `part` a Part of audit_words.
    """

    actor: str = ""
    part: str = ""
    start: date | None = None
    end: date | None = None


def audit_entries(*, tenant: Tenant, asked: AuditFilter) -> QuerySet[AuditEntry]:
    """Return what was done by the tenant's people, its tokens, operators, and by itself.

    Each has its address as `told_address`: None of operators, whose own affair that is.
    """
    entries = AuditEntry.objects.filter(tenant=tenant).order_by("-at", "-id")
    entries = entries.annotate(
        told_address=Case(When(actor_kind=ActorKind.OPERATOR, then=None), default="address")
    )
    if asked.actor in ActorKind.values:
        entries = entries.filter(actor_kind=asked.actor)
    elif asked.actor:
        entries = entries.filter(actor_name=asked.actor)
    if asked.part:
        entries = entries.filter(action__in=actions_of(asked.part))
    if asked.start:
        entries = entries.filter(at__gte=_midnight(asked.start))
    if asked.end:
        entries = entries.filter(at__lt=_midnight(asked.end + timedelta(days=1)))
    return entries


def audit_actors(*, tenant: Tenant) -> list[str]:
    """Return the names of all who ever acted in the tenant, in their order."""
    named = AuditEntry.objects.filter(tenant=tenant).exclude(actor_name="")
    return list(named.order_by("actor_name").values_list("actor_name", flat=True).distinct())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
