"""The life of a lease: begun with a period or a plan, closed, come back to, and opened.

No call is made here. What is written to the gateway, and when, is in lease_writes.py.
"""

from datetime import UTC, datetime

from django.db import transaction

from tenants import leases
from tenants.models import ApiKeyVersion, Entitlement, GatewayPlan, Lease, Tenant
from tenants.periods import Period
from tenants.services.lease_terms import (
    WITH_PLAN,
    is_held_back,
    is_paid_by_use,
    pending_clear,
    position_of,
    rules,
)
from tenants.services.quota import entitlement_ensure


@transaction.atomic
def leases_begin(*, tenant: Tenant, now: datetime) -> None:
    """Have leases in this period for what is in the gateway, before any of it stops or moves.

    A key that could be used since the period began, and is gone before anything else was done in
    it, would otherwise have used nothing that counts. One on its way out of a plan of other periods
    counts in those.
    """
    tenant = tenant_locked(tenant)
    attached = ApiKeyVersion.objects.filter(api_key__tenant=tenant).exclude(gateway_plan=None)
    kinds = attached.values_list("gateway_plan__usage_plan__quota_period", flat=True)
    for kind in {*kinds}:
        period_begin(tenant=tenant, kind=kind, now=now)


def period_begin(*, tenant: Tenant, kind: str, now: datetime) -> Entitlement:
    """Return the entitlement of this period, with leases for all keys in plans of that kind.

    A lease starts with what the gateway gives by itself: the plan's quota. Where last period's
    write was never confirmed it may have come late and set this period's counter: it stays pending.
    """
    entitlement = entitlement_ensure(tenant=tenant, kind=kind, now=now)
    opens_at = Period(entitlement.period_start, entitlement.period_end).opens_at
    attached = ApiKeyVersion.objects.filter(
        api_key__tenant=tenant, gateway_plan__usage_plan__quota_period=kind
    ).select_related("gateway_plan__usage_plan")
    for version in attached:
        mirror = version.gateway_plan
        assert mirror is not None  # noqa: S101  (the filter above)
        before = (
            Lease.objects.filter(version=version, gateway_plan=mirror)
            .exclude(entitlement=entitlement)
            .order_by("-entitlement__period_start")
            .first()
        )
        may_be_used = before is not None and version.is_enabled is not False
        lease, _is_new = Lease.objects.get_or_create(
            entitlement=entitlement,
            version=version,
            gateway_plan=mirror,
            defaults={
                "limit_requests": mirror.quota_limit,
                "written_remaining": mirror.quota_limit,
                "pending_limit": before.pending_remaining if before else None,
                "pending_remaining": before.pending_remaining if before else None,
                "pending_seen": 0 if before and before.pending_remaining is not None else None,
                "pending_at": before.pending_at if before else None,
                "opened_at": opens_at if may_be_used else None,
                "closed_at": before.closed_at if before else None,
            },
        )
        _follow_plan(lease, mirror)
    return entitlement


def tenant_locked(tenant: Tenant) -> Tenant:
    """Return a tenant as it is now, locked until the transaction ends, with its plan."""
    locked = Tenant.objects.select_for_update(of=("self",)).select_related("usage_plan")
    return locked.get(pk=tenant.pk)


def _follow_plan(lease: Lease, mirror: GatewayPlan) -> None:
    """Note that an operator changed the quota of a lease's plan: at the gateway a counter that was
    never set goes with it.

    More of it may be used at once. Of less it is not known yet whether more was used before.
    """
    quota = mirror.quota_limit
    if lease.written_at is not None or lease.closed_at or lease.written_remaining == quota:
        return
    lease.written_remaining = quota
    lease.limit_requests = max(lease.limit_requests, lease.written_seen + quota)
    lease.is_owed = lease.is_owed or is_held_back(lease)
    lease.save(update_fields=["written_remaining", "limit_requests", "is_owed"])


@transaction.atomic
def lease_reattached(*, version: ApiKeyVersion, mirror: GatewayPlan, now: datetime) -> None:
    """Note that a version is back in a plan that it had left in this period.

    Whether its counter starts afresh is not documented. So count as if it had, on top of all that
    it may have used there before, which keeps the key disabled until its lease has been written.
    """
    lease = (
        Lease.objects.select_for_update()
        .filter(version=version, gateway_plan=mirror)
        .order_by("-entitlement__period_start")
        .first()
    )
    if lease is None or lease.closed_at is None:
        return
    lease.rejoined_used = leases.used_at_most(position_of(lease), rules(), now)
    lease.rejoined_at = now
    lease.limit_requests = lease.rejoined_used + max(
        mirror.quota_limit, lease.written_remaining, lease.pending_remaining or 0
    )
    pending_clear(lease)
    lease.written_remaining = mirror.quota_limit
    lease.written_seen, lease.written_at = lease.rejoined_used, None
    lease.closed_at = None
    lease.is_owed = is_held_back(lease)
    lease.save()


def lease_close(*, version: ApiKeyVersion, now: datetime) -> None:
    """Note that a version, surely disabled, will not be used again under the leases it has."""
    Lease.objects.filter(version=version, closed_at=None).update(closed_at=now)


@transaction.atomic
def lease_reopened(*, version: ApiKeyVersion, now: datetime) -> None:
    """Note that a key was enabled by somebody else, nobody knows since when, until now: in this
    period it may have used all that its counter had.
    """
    today = now.astimezone(UTC).date()
    held = Lease.objects.select_for_update(of=("self",)).filter(
        version=version, entitlement__period_start__lte=today, entitlement__period_end__gt=today
    )
    for lease in held.select_related("entitlement").order_by("pk"):
        period = Period(lease.entitlement.period_start, lease.entitlement.period_end)
        lease.opened_at = lease.opened_at or max(period.opens_at, version.created_at)
        lease.rejoined_used = lease.rejoined_at = None
        lease.closed_at = now if lease.closed_at else None
        lease.save(update_fields=["opened_at", "rejoined_used", "rejoined_at", "closed_at"])


def lease_is_closed(*, version: ApiKeyVersion, mirror: GatewayPlan) -> bool:
    """Say whether a version was about to leave a plan, if it has not left it."""
    current = Lease.objects.filter(version=version, gateway_plan=mirror)
    lease = current.order_by("-entitlement__period_start").first()
    return lease is not None and lease.closed_at is not None


def lease_opens(*, version: ApiKeyVersion, now: datetime) -> bool:
    """Note that a version is about to be enabled; return whether it may be.

    It may where its lease is confirmed and all leases of the tenant together keep within the
    entitlement and the advance. One that was enabled before, and only held, comes back with what it
    had, as one that was not held keeps it: disabled, it would never be known to have used less.
    """
    current = Lease.objects.filter(version=version, gateway_plan=version.gateway_plan_id)
    lease = current.order_by("-entitlement__period_start").select_related("entitlement").first()
    if lease is None or lease.pending_limit is not None:
        return False
    if not position_of(lease).is_idle:
        return True
    entitlement = lease.entitlement
    shared = [
        each
        for each in entitlement.leases.select_related(*WITH_PLAN)
        if not is_paid_by_use(each, entitlement)
    ]
    total = sum(position_of(each).ceiling for each in shared)
    if total > entitlement.shared_requests + entitlement.advance_requests:
        return False
    lease.opened_at = lease.opened_at or now
    lease.rejoined_used = lease.rejoined_at = None
    lease.save(update_fields=["opened_at", "rejoined_used", "rejoined_at"])
    return True
