"""Write leases to the gateway: intent, effect, note. The arithmetic is in tenants/leases.py.

Each write is three steps: a short transaction locks the tenant, computes from the newest rows and
notes what will be set; UpdateUsage is called; a second transaction notes that it was answered. If
the second never comes, the larger of the two leases counts until a reading tells which is in force.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from tenants import gateway, leases
from tenants.models import (
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    Lease,
    QuotaGrant,
    Tenant,
)
from tenants.periods import Period, is_quiet
from tenants.services.claims import ClaimLost
from tenants.services.lease_live import leases_see_live
from tenants.services.lease_lives import period_begin, tenant_locked
from tenants.services.lease_terms import (
    at_most,
    is_held_back,
    is_only_reset,
    is_paid_by_use,
    leases_held,
    pending_clear,
    position_of,
    rules,
)
from tenants.services.usage import REREAD, usage_none_seen, usage_store

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
QUIET = timedelta(seconds=60)  # nothing is written so near to a period's reset
OWED_POLL = timedelta(seconds=10)  # how soon a version with something owed is read again


def leases_apply(*, tenant: Tenant, clock: Clock, renew: Callable[[], None]) -> list[datetime]:
    """Bring a tenant's leases to its entitlement; return when to look again, if at all.

    `renew` is called before each outside call. Raise GatewayError where one failed, ClaimLost where
    `renew` does.
    """
    with transaction.atomic():
        tenant = tenant_locked(tenant)
        entitlement = period_begin(tenant=tenant, kind=tenant.usage_plan.quota_period, now=clock())
        held = leases_held(entitlement)
    period = Period(entitlement.period_start, entitlement.period_end)
    if quiet_until := _quiet_until(period, clock()):
        return [quiet_until]
    if not _is_anything_to_do(entitlement, held):
        return []
    for lease in held:
        if lease.opened_at is not None:
            renew()
            lease_read(version=lease.version, mirror=lease.gateway_plan, now=clock())
    # Releases come before raises, and each write is decided afresh from the newest rows. A tenant
    # needs at most one of each per version, and a step that finds nothing more to write.
    for _ in range(2 * len(held) + 1):
        now = clock()
        if quiet_until := _quiet_until(period, now):  # reading may have taken long
            return [quiet_until]
        with transaction.atomic():
            step = _step_next(tenant=tenant, entitlement=entitlement, now=now)
        if step is None:
            break
        _step_take(step, clock, renew)
    return _look_again(entitlement=entitlement, now=clock())


def _quiet_until(period: Period, now: datetime) -> datetime | None:
    """Return when leases may be written again; None where they may be now."""
    if not is_quiet(period, now, margin=QUIET):
        return None
    edge = period.opens_at if now - period.opens_at < QUIET else period.closes_at
    return edge + QUIET


def lease_read(*, version: ApiKeyVersion, mirror: GatewayPlan, now: datetime) -> None:
    """Read one key's usage, so that what is decided next starts from the newest figure.

    `now` is when the question is asked: what is used after it is not in the answer.
    """
    today = now.astimezone(UTC).date()
    since = today - REREAD
    try:
        usages = list(
            gateway.usage_read(
                plan_id=mirror.gateway_id, start=since, end=today, key_id=version.gateway_id
            )
        )
    except gateway.GatewayNotFound:
        return  # it left this plan; the last sync's figure is all that can be had
    usage_store(mirror=mirror, usages=usages, now=now)
    if not usages:
        usage_none_seen(mirror=mirror, versions=[version.pk], since=since, now=now)


def _is_anything_to_do(entitlement: Entitlement, held: list[Lease]) -> bool:
    """Say whether a lease differs from what it should be, so that reading it is worth a call."""
    if any(lease.pending_limit is not None or lease.is_owed for lease in held):
        return True
    if _not_applied(entitlement).exists():
        return True
    if sum(lease.limit_requests for lease in held) != entitlement.requests:
        return True
    if any(lease.closed_at and lease.limit_requests != lease.seen_used for lease in held):
        return True
    return len(held) > 1 and any(lease.seen_remaining == 0 for lease in held)


def _step_next(
    *, tenant: Tenant, entitlement: Entitlement, now: datetime
) -> tuple[Lease, leases.Write] | None:
    """Decide the next write and note it as the intent; None where there is none to make now.

    Then note which grants are at the gateway: what they raise has been written. What uncertainty
    holds back of it was there before them: a key has what was granted, or more, ever since.
    """
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    entitlement.refresh_from_db()
    held = leases_held(entitlement)
    leases_see_live(entitlement=entitlement, held=held)
    for lease in held:
        _settle_pending(lease)
        _shrink_closed(lease, now)
    open_ = {lease.pk: lease for lease in held if lease.closed_at is None}
    shared = [lease for lease in held if not is_paid_by_use(lease, entitlement)]
    gone = sum(at_most(lease) for lease in shared if lease.closed_at is not None)
    positions = [(lease, position_of(lease)) for lease in shared]
    uncertain = sum(
        leases.used_at_most(position, rules(), now) - lease.seen_used
        for lease, position in positions
        if lease.opened_at is not None
    )
    targets = leases.shares(
        max(entitlement.shared_requests - gone, 0),
        entitlement.advance_requests,
        uncertain,
        {pk: _claim(lease, now) for pk, lease in open_.items()},
    )
    room = entitlement.shared_requests + entitlement.advance_requests - gone
    room -= sum(map(at_most, open_.values()))
    raises = sorted(open_.values(), key=lambda lease: targets[lease.pk] >= lease.limit_requests)
    for lease in raises:
        position = position_of(lease)
        # Σ leases <= E + A at every moment: a raise waits for the releases that make room for it.
        target = min(targets[lease.pk], position.ceiling + max(room, 0))
        write = leases.next_write(position, target, rules(), now)
        if room < 0 and not isinstance(write, leases.Write) and is_only_reset(lease, entitlement):
            write = leases.Write(limit=lease.limit_requests, remaining=0)
        is_owed = write is leases.Wait.OWED or target != targets[lease.pk]
        is_owed = is_owed or (not isinstance(write, leases.Write) and target < position.limit)
        if isinstance(write, leases.Write):
            lease.revision += 1
            lease.pending_limit = write.limit
            lease.pending_remaining = write.remaining
            lease.pending_seen = lease.seen_used
            lease.pending_at = now
            lease.is_owed = is_owed or write.remaining < write.limit - lease.seen_used
            lease.save()
            return lease, write
        if lease.is_owed != is_owed and not is_held_back(lease):
            lease.is_owed = is_owed
            lease.save(update_fields=["is_owed"])
    is_waiting = any(
        lease.pending_limit is not None or targets[lease.pk] > lease.limit_requests
        for lease in open_.values()
    )
    # Where more is leased than there is to give, the grant went to what may have been used.
    if not is_waiting and (room >= 0 or not uncertain):
        _not_applied(entitlement).update(applied_at=now)
    return None


def _claim(lease: Lease, now: datetime) -> leases.Claim:
    position = position_of(lease)
    most_used = leases.used_at_most(position, rules(), now)
    return leases.Claim(
        ceiling=position.ceiling,
        most_used=most_used,
        needs=leases.is_dry(position) or (position.is_idle and position.limit <= most_used + 1),
        used_of_late=(
            None
            if position.opened_at is None
            else max(position.seen_used - position.written_seen, 0)
        ),
    )


def _settle_pending(lease: Lease) -> None:
    """Find out from the newest reading what became of a write that was never answered."""
    outcome = leases.pending_outcome(position_of(lease), rules())
    if lease.pending_limit is None or outcome is leases.Outcome.UNKNOWN:
        return
    log.info("lease.outcome", lease=lease.pk, outcome=outcome.value)
    if outcome is leases.Outcome.APPLIED:
        _note_written(lease, lease.pending_at)
    pending_clear(lease)
    lease.save()


def _shrink_closed(lease: Lease, now: datetime) -> None:
    """Make the lease of a version that is gone what it can have used at most.

    Its key is disabled, so that no call is needed. What was thought to be unused and was used after
    all counts again.
    """
    if lease.closed_at is None:
        return
    most = leases.used_at_most(position_of(lease), rules(), now)
    lease.is_owed = most > lease.seen_used
    if most != position_of(lease).ceiling or lease.pending_limit is not None:
        lease.limit_requests = most
        pending_clear(lease)
    lease.save()


def _note_written(lease: Lease, at: datetime | None) -> None:
    """Make the pending write the confirmed one."""
    lease.limit_requests = lease.pending_limit or 0
    lease.written_remaining = lease.pending_remaining or 0
    lease.written_seen = lease.pending_seen or 0
    lease.written_at = at


def _step_take(step: tuple[Lease, leases.Write], clock: Clock, renew: Callable[[], None]) -> None:
    """Call the gateway, and note that it answered: unless a newer attempt has begun since, or a
    reading has told what became of this one.
    """
    lease, write = step
    try:
        renew()
        gateway.usage_set_remaining(
            plan_id=lease.gateway_plan.gateway_id,
            key_id=lease.version.gateway_id,
            remaining=write.remaining,
        )
    except _NOT_SENT:
        with transaction.atomic():
            current = _attempt(lease)
            if current is not None:
                pending_clear(current)
                current.is_owed = True
                current.save()
        raise
    with transaction.atomic():
        current = _attempt(lease)
        if current is not None:
            _note_written(current, clock())
            pending_clear(current)
            current.save()


# After these a write has surely not happened.
_NOT_SENT = (
    ClaimLost,
    gateway.GatewayThrottled,
    gateway.GatewayRefused,
    gateway.GatewayNotFound,
)


def _attempt(lease: Lease) -> Lease | None:
    """Return the lease, locked, if what is pending is still this attempt to write it."""
    attempt = Lease.objects.select_for_update().filter(
        pk=lease.pk, revision=lease.revision, pending_limit__isnull=False
    )
    return attempt.first()


def _look_again(*, entitlement: Entitlement, now: datetime) -> list[datetime]:
    """Return when to look again, if something is still to be found out, or written."""
    waiting = entitlement.leases.filter(Q(is_owed=True) | Q(pending_limit__isnull=False))
    if waiting.exists() or _not_applied(entitlement).exists():
        return [now + OWED_POLL]
    return []


def _not_applied(entitlement: Entitlement) -> QuerySet[QuotaGrant]:
    """Return the standing grants that are not known to be at the gateway."""
    return entitlement.grants.filter(applied_at=None, withdrawn_at=None)
