"""Grants that are given back unused: taken back first, then settled, then returned or restored.

A grant that is withdrawn no longer counts in the entitlement, and reconciliation takes its requests
out of the leases as far as nobody can have used them. Only when what is left of the leases, and a
figure that tells of all calls before, both keep within the entitlement without it, is it certain
that it was not used. Where that is not known before the period ends, the period's settled usage
says (closing.py). Whoever withdrew a grant either returns it or restores it, never both.
"""

from datetime import UTC, datetime
from enum import Enum

from django.db import transaction
from django.utils.translation import gettext as _

import tenants.selectors
from tenants.errors import NotInThisState
from tenants.models import Entitlement, Lease, Meter, QuotaGrant, Tenant
from tenants.services.audit import audit_record
from tenants.services.lease_terms import rules
from tenants.services.outbox import outbox_publish
from tenants.services.reconciling import reconcile_request


class Release(Enum):
    """What is known of a grant that was withdrawn."""

    UNKNOWN = "may have been used"
    UNUSED = "certainly unused"
    USED = "used"


@transaction.atomic
def quota_grant_withdraw(*, source: str, now: datetime) -> QuotaGrant:
    """Take a grant's requests back for the time being; again it changes nothing.

    Raise NotInThisState where its period is over, or its requests are used already.
    """
    grant, tenant = _locked(source)
    if grant.withdrawn_at is not None:
        return grant
    entitlement = grant.entitlement
    if entitlement.period_end <= now.astimezone(UTC).date():
        raise NotInThisState(_("The quota period that this was bought for is over."))
    if _used(entitlement) > _given(entitlement) - grant.requests:
        raise NotInThisState(_("Requests of it have been used."))
    grant.withdrawn_at = now
    grant.save(update_fields=["withdrawn_at"])
    _entitle(grant, tenant, -grant.requests, "quota.withdrawn", now)
    return grant


@transaction.atomic
def quota_grant_restore(*, source: str, now: datetime) -> QuotaGrant:
    """Give a withdrawn grant again what was taken back. Raise NotInThisState if it was returned."""
    grant, tenant = _locked(source)
    if grant.withdrawn_at is None:
        return grant
    if grant.closed_at is not None:
        raise NotInThisState(_("This grant was given back."))
    grant.withdrawn_at = grant.applied_at = None
    grant.save(update_fields=["withdrawn_at", "applied_at"])
    _entitle(grant, tenant, grant.requests, "quota.restored", now)
    return grant


@transaction.atomic
def quota_grant_return(*, source: str, now: datetime) -> QuotaGrant:
    """End a withdrawn grant, for good. Raise NotInThisState unless it is certainly unused."""
    grant, _tenant = _locked(source)
    if grant.closed_at is not None and grant.withdrawn_at is not None:
        return grant
    if grant_release(source=source, now=now) is not Release.UNUSED:
        raise NotInThisState(_("Requests of it may have been used."))
    grant.closed_at = now
    grant.save(update_fields=["closed_at"])
    return grant


def grant_release(*, source: str, now: datetime) -> Release:
    """Say whether a withdrawn grant was used: more than what was given without it."""
    grant = QuotaGrant.objects.select_related("entitlement").get(source=source)
    entitlement = grant.entitlement
    if grant.withdrawn_at is None:
        return Release.UNKNOWN
    given = _given(entitlement)
    if _used(entitlement) > given:
        return Release.USED
    if entitlement.period_end <= now.astimezone(UTC).date():
        return Release.UNUSED if entitlement.settled_at is not None else Release.UNKNOWN
    leases = list(entitlement.leases.all())
    is_released = sum(map(_most, leases)) <= given
    if is_released and all(_is_read_since(lease, grant.withdrawn_at) for lease in leases):
        return Release.UNUSED
    return Release.UNKNOWN


def _locked(source: str) -> tuple[QuotaGrant, Tenant]:
    """Lock the tenant, then the grant."""
    tenant_id = QuotaGrant.objects.values_list("entitlement__tenant", flat=True).get(source=source)
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    grant = QuotaGrant.objects.select_for_update(of=("self",)).select_related("entitlement")
    return grant.get(source=source), tenant


def _entitle(grant: QuotaGrant, tenant: Tenant, by: int, action: str, now: datetime) -> None:
    """Change the entitlement by so many requests, and have the leases follow."""
    entitlement = grant.entitlement
    entitlement.granted_requests += by
    entitlement.save(update_fields=["granted_requests"])
    audit_record(action=action, tenant=tenant, now=now, target=grant.source, requests=abs(by))
    outbox_publish(kind="quota.changed", tenant=tenant, now=now)
    reconcile_request(tenant=tenant, now=now)


def _given(entitlement: Entitlement) -> int:
    """Return what plans with a limit and standing grants gave, and what was paid by use on top."""
    plans = tenants.selectors.limited_requests(entitlement=entitlement)
    return plans + entitlement.granted_requests


def _used(entitlement: Entitlement) -> int:
    """Return what the gateway has told so far of a period's usage."""
    return tenants.selectors.usage_total(
        tenant=entitlement.tenant,
        meter=Meter.REQUESTS,
        start=entitlement.period_start,
        end=entitlement.period_end,
    )


def _most(lease: Lease) -> int:
    """Return the most that a version may use: the larger lease while a write is unconfirmed."""
    return max(lease.limit_requests, lease.pending_limit or 0, lease.seen_used)


def _is_read_since(lease: Lease, at: datetime) -> bool:
    """Say whether a lease was read when all calls before its last write had long been counted.

    One whose key is gone needs no reading: its lease has shrunk to what it can have used.
    """
    if lease.opened_at is None or lease.closed_at is not None:
        return True
    late = max(rules().lag, rules().settle)
    written_at = max(at, lease.written_at or at)
    return lease.seen_at is not None and lease.seen_at >= written_at + late
