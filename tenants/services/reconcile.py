"""Make the gateway what a tenant's rows say. The one place that drives keys there. Workers only.

It is level-triggered: each run reads the newest rows, takes the next step for every version, and
may die anywhere. What is asked for is in the rows (`Tenant.reconcile_at`), every outside call is
either idempotent or preceded by a row that says what it will do, and a claim on the tenant keeps
two workers apart (claims.py). The lives of a version:

    create disabled -> attach to the plan -> set its lease -> enable
    plan change:  disable -> detach -> attach -> set -> enable
    rotate:       both are enabled until the old one retires (key_ends.py)
    revoke:       disable at once; detach three days after; delete after 90
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from tenants import gateway, key_values, queue
from tenants.models import (
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    KeySlot,
    QuotaPeriod,
    Tenant,
    TenantState,
    VersionStatus,
)
from tenants.periods import period_of
from tenants.services import key_ends, lease_lives, lease_writes
from tenants.services.claims import ClaimLost, claim_release, claim_renew, claim_take
from tenants.services.key_switch import Renew, key_switch
from tenants.services.mirrors import is_usable, mirror_apply
from tenants.services.outbox import outbox_publish
from tenants.services.reconciling import ROUTINE, reconcile_request

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
DETACH_AFTER = timedelta(days=3)  # a burst just before revocation is still read, and billed
DELETE_AFTER = timedelta(days=90)
MOST_RUNS = 5  # in a row, for a tenant who keeps asking; the sweep does the rest
BACKOFF = (2, 5, 15, 60, 300)  # seconds until the next try, after 1, 2, ... failures


def tenant_reconcile(*, tenant_id: int, clock: Clock) -> bool:
    """Bring one tenant's keys in the gateway to what its rows say.

    Return False where another worker is at it (its own run, or the sweep, will see to the rest).
    Failures are noted on the tenant and tried again later; none is raised.
    """
    for _ in range(MOST_RUNS):
        tenant = claim_take(tenant_id=tenant_id, now=clock())
        if tenant is None:
            return False
        error = ""
        next_at: datetime | None = None
        try:
            next_at = _run(tenant, clock)
        except ClaimLost:
            # What was done last may have come later than what another worker did.
            reconcile_request(tenant=tenant, now=clock(), lane=ROUTINE)
            continue
        except gateway.GatewayError as failure:
            error = str(failure)
            delay = BACKOFF[min(tenant.reconcile_attempts, len(BACKOFF) - 1)]
            next_at = clock() + timedelta(seconds=delay)
            log.warning("reconcile.failed", tenant=tenant_id, error=error, again_in=delay)
            if isinstance(failure, gateway.GatewayNotFound):  # somebody deleted it there?
                queue.send("tenants.tasks.keys_compare", tenant_id, queue=ROUTINE)
        if claim_release(tenant=tenant, next_at=next_at, error=error):
            break
    return True


def tenants_due(*, now: datetime, limit: int = 500) -> list[int]:
    """Return the tenants whose rows ask for a run: what the sweep queues again."""
    due = Tenant.objects.filter(reconcile_at__lte=now).filter(
        Q(claimed_until=None) | Q(claimed_until__lt=now)
    )
    return list(due.order_by("reconcile_at").values_list("pk", flat=True)[:limit])


def _run(tenant: Tenant, clock: Clock) -> datetime | None:
    """Take every step that can be taken; return when to look again, None if all is as it should."""

    def renew() -> None:
        claim_renew(tenant=tenant, now=clock())

    lease_lives.leases_begin(tenant=tenant, now=clock())
    key_ends.keys_end(tenant=tenant, now=clock())
    versions = list(
        ApiKeyVersion.objects.filter(api_key__tenant=tenant)
        .exclude(status__in=[VersionStatus.DELETED, VersionStatus.FAILED])
        .select_related("api_key", "gateway_plan")
    )
    may_pass = (
        tenant.state == TenantState.ACTIVE and not tenant.holds.filter(lifted_at=None).exists()
    )
    # What must stop, stops first, whatever else may fail.
    for version in versions:
        if not (may_pass and version.is_living) and version.is_enabled is not False:
            key_switch(version, renew, is_enabled=False)
        if not version.is_living:
            lease_lives.lease_close(version=version, now=clock())
    living = [version for version in versions if version.is_living]
    mirrors = _mirrors_ready(tenant, clock, renew) if living else {}
    for version in living:
        _promote(version, versions)
        if _create(version, clock, renew):
            _place(version, mirrors[version.slot], clock, renew)
    living = [version for version in living if version.is_living]
    looks = lease_writes.leases_apply(tenant=tenant, clock=clock, renew=renew)
    for version in living:
        if may_pass and version.is_enabled is not True and _may_open(version, clock()):
            key_switch(version, renew, is_enabled=True)
        if version.status == VersionStatus.PENDING and version.is_enabled:
            _activate(version, tenant, clock())
    for version in versions:
        looks += _bury(version, clock(), renew)
    # Only now: what a new value had to work for may end.
    if ends_at := key_ends.next_end(tenant=tenant):
        looks.append(ends_at)
    return min(looks, default=None)


def _mirrors_ready(tenant: Tenant, clock: Clock, renew: Renew) -> dict[str, GatewayPlan]:
    """Return the plan's mirrors by slot, applied where keys could not be in them as they are."""
    mirrors = {}
    for mirror in tenant.usage_plan.mirrors.select_related("usage_plan"):
        ready = mirror
        if not is_usable(mirror):
            renew()
            ready = mirror_apply(mirror=mirror, now=clock())
        mirrors[ready.slot] = ready
    return mirrors


def _promote(version: ApiKeyVersion, versions: list[ApiKeyVersion]) -> None:
    """Make a successor primary once its predecessor is out of the primary plan.

    A version that retires stays where it is: the move would refuse calls, for what ends anyway.
    """
    primary_taken = any(
        other.slot == KeySlot.PRIMARY and other.detached_at is None
        for other in versions
        if other.pk != version.pk
    )
    is_staying = version.status != VersionStatus.RETIRING
    if version.slot == KeySlot.SECONDARY and is_staying and not primary_taken:
        version.slot = KeySlot.PRIMARY
        version.save(update_fields=["slot"])


def _create(version: ApiKeyVersion, clock: Clock, renew: Renew) -> bool:
    """Create the key, disabled, unless it is there; return whether it is."""
    if version.gateway_id:
        return True
    value = key_values.derive(version.uuid, secret=settings.API_KEY_SECRET)
    renew()
    try:
        gateway_id = gateway.api_key_create(name=version.gateway_name, value=value)
    except gateway.GatewayRefused as refusal:
        # A revocation that came meanwhile wins.
        pending = ApiKeyVersion.objects.filter(pk=version.pk, status=VersionStatus.PENDING)
        pending.update(status=VersionStatus.FAILED, error=str(refusal))
        version.refresh_from_db(fields=["status"])
        log.error("key.refused", version=version.pk, error=str(refusal))
        return False
    renew()
    version.gateway_id, version.made_at = gateway_id, clock()
    version.save(update_fields=["gateway_id", "made_at"])
    return True


def _place(version: ApiKeyVersion, mirror: GatewayPlan, clock: Clock, renew: Renew) -> None:
    """Put the key into the plan where it belongs; a short window of 403 is the gateway's price.

    Where a move away broke off and is not wanted any more, nobody knows whether the key has left:
    then it leaves, and comes back.
    """
    is_there = version.gateway_plan_id == mirror.pk
    if is_there and not lease_lives.lease_is_closed(version=version, mirror=mirror):
        return
    if version.gateway_plan is not None:
        if version.is_enabled is not False:
            key_switch(version, renew, is_enabled=False)
        renew()
        lease_lives.lease_close(version=version, now=clock())
        # What was used under the old plan is read while the key is surely still in it.
        lease_writes.lease_read(version=version, mirror=version.gateway_plan, now=clock())
        renew()
        gateway.api_key_detach(plan_id=version.gateway_plan.gateway_id, key_id=version.gateway_id)
        renew()
        version.gateway_plan = None
        version.save(update_fields=["gateway_plan"])
    renew()
    gateway.api_key_attach(plan_id=mirror.gateway_id, key_id=version.gateway_id)
    renew()
    lease_lives.lease_reattached(version=version, mirror=mirror, now=clock())
    version.gateway_plan = mirror
    version.save(update_fields=["gateway_plan"])


def _may_open(version: ApiKeyVersion, now: datetime) -> bool:
    """Say whether a version may be enabled: not revoked meanwhile, and its lease is in order."""
    version.refresh_from_db(fields=["status"])
    return version.is_living and lease_lives.lease_opens(version=version, now=now)


@transaction.atomic
def _activate(version: ApiKeyVersion, tenant: Tenant, now: datetime) -> None:
    """Note that the key works, with the news of it; a revocation that came meanwhile wins."""
    Tenant.objects.select_for_update().get(pk=tenant.pk)  # as who revokes: before the version
    changed = ApiKeyVersion.objects.filter(pk=version.pk, status=VersionStatus.PENDING).update(
        status=VersionStatus.ACTIVE, activated_at=now
    )
    if changed:
        version.status = VersionStatus.ACTIVE
        outbox_publish(kind="key.active", tenant=tenant, now=now, version=version.pk)


def _bury(version: ApiKeyVersion, now: datetime, renew: Renew) -> list[datetime]:
    """Detach and later delete a revoked key; return when its next step is due."""
    if version.status != VersionStatus.REVOKED or version.revoked_at is None:
        return []
    renew()
    if not version.gateway_id:
        # Revoked before we had noted its creation: it may be there, disabled, and nobody's.
        orphan = gateway.api_key_find(name=version.gateway_name)
        if orphan is not None:
            gateway.api_key_delete(key_id=orphan.id)
    if version.detached_at is None:
        if now < version.revoked_at + DETACH_AFTER and version.gateway_id:
            return [version.revoked_at + DETACH_AFTER]
        if version.gateway_plan is not None:
            gateway.api_key_detach(
                plan_id=version.gateway_plan.gateway_id, key_id=version.gateway_id
            )
        version.gateway_plan = None
        version.detached_at = now
        version.save(update_fields=["gateway_plan", "detached_at"])
        return [now]  # a successor may now be promoted
    if now < version.revoked_at + DELETE_AFTER and version.gateway_id:
        return [version.revoked_at + DELETE_AFTER]
    if version.gateway_id:
        gateway.api_key_delete(key_id=version.gateway_id)
    version.status = VersionStatus.DELETED
    version.deleted_at = now
    version.save(update_fields=["status", "deleted_at"])
    return []


def tenants_without_period(*, now: datetime, limit: int = 500) -> list[Tenant]:
    """Return tenants that have no entitlement for today's quota period yet, and are not due."""
    has_one = Q()
    for kind in QuotaPeriod:  # one of another kind, of a plan that was left, does not count
        period = period_of(kind, now)
        opened = Entitlement.objects.filter(period_start=period.start, period_end=period.end)
        has_one |= Q(usage_plan__quota_period=kind, pk__in=opened.values("tenant"))
    is_not_due = Q(reconcile_at=None) | Q(reconcile_at__gt=now)
    waiting = Tenant.objects.exclude(has_one).filter(is_not_due)
    return list(waiting.exclude(state=TenantState.CLOSED)[:limit])
