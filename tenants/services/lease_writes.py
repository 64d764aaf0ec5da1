"""Write leases to the gateway: intent, effect, note. The arithmetic is in tenants/leases.py.

Each write is three steps: a short transaction locks the tenant, computes from the newest rows and
notes what will be set; UpdateUsage is called; a second transaction notes that it was answered. If
the second never comes, the larger of the two leases counts until a reading tells which is in force.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
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
from tenants.services.quota import entitlement_ensure
from tenants.services.usage import usage_none_seen, usage_store

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
QUIET = timedelta(seconds=60)  # nothing is written so near to a period's reset
OWED_POLL = timedelta(seconds=10)  # how soon a version with something owed is read again


def rules() -> leases.Rules:
    """Return how late the gateway's figures are, from the settings."""
    return leases.Rules(
        lag=timedelta(seconds=settings.USAGE_LAG_SECONDS),
        settle=timedelta(seconds=settings.USAGE_SETTLE_SECONDS),
    )


@transaction.atomic
def leases_begin(*, tenant: Tenant, now: datetime) -> None:
    """Have leases in this period for what is in the gateway, before any of it stops or moves.

    A key that could be used since the period began, and is gone before anything else was done in
    it, would otherwise have used nothing that counts. One on its way out of a plan of other periods
    counts in those.
    """
    tenant = _locked(tenant)
    attached = ApiKeyVersion.objects.filter(api_key__tenant=tenant).exclude(gateway_plan=None)
    kinds = attached.values_list("gateway_plan__usage_plan__quota_period", flat=True)
    for kind in {*kinds}:
        _begin(tenant=tenant, kind=kind, now=now)


def leases_apply(*, tenant: Tenant, clock: Clock, renew: Callable[[], None]) -> list[datetime]:
    """Bring a tenant's leases to its entitlement; return when to look again, if at all.

    `renew` is called before each outside call. Raise GatewayError where one failed, ClaimLost where
    `renew` does.
    """
    with transaction.atomic():
        tenant = _locked(tenant)
        entitlement = _begin(tenant=tenant, kind=tenant.usage_plan.quota_period, now=clock())
        held = _held(entitlement)
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
    try:
        usages = list(
            gateway.usage_read(
                plan_id=mirror.gateway_id,
                start=today - timedelta(days=3),
                end=today,
                key_id=version.gateway_id,
            )
        )
    except gateway.GatewayNotFound:
        return  # it left this plan; the last sync's figure is all that can be had
    usage_store(mirror=mirror, usages=usages, now=now)
    if not usages:
        usage_none_seen(mirror=mirror, versions=[version.pk], now=now)


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
    lease.rejoined_used = leases.used_at_most(_position(lease), rules(), now)
    lease.limit_requests = lease.rejoined_used + max(
        mirror.quota_limit, lease.written_remaining, lease.pending_remaining or 0
    )
    _clear_pending(lease)
    lease.written_remaining = mirror.quota_limit
    lease.written_seen, lease.written_at = lease.rejoined_used, None
    lease.closed_at = None
    lease.is_owed = _is_held_back(lease)
    lease.save()


def lease_close(*, version: ApiKeyVersion, now: datetime) -> None:
    """Note that a version, surely disabled, will not be used again under the leases it has."""
    Lease.objects.filter(version=version, closed_at=None).update(closed_at=now)


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
    if not _position(lease).is_idle:
        return True
    entitlement = lease.entitlement
    shared = [
        each
        for each in entitlement.leases.select_related(*_WITH_PLAN)
        if not _is_paid_by_use(each, entitlement)
    ]
    total = sum(_position(each).ceiling for each in shared)
    if total > entitlement.shared_requests + entitlement.advance_requests:
        return False
    lease.opened_at, lease.rejoined_used = lease.opened_at or now, None
    lease.save(update_fields=["opened_at", "rejoined_used"])
    return True


# --- Inside the transactions ---

_WITH_PLAN = ("version", "gateway_plan__usage_plan")


def _locked(tenant: Tenant) -> Tenant:
    locked = Tenant.objects.select_for_update(of=("self",)).select_related("usage_plan")
    return locked.get(pk=tenant.pk)


def _begin(*, tenant: Tenant, kind: str, now: datetime) -> Entitlement:
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
    lease.is_owed = lease.is_owed or _is_held_back(lease)
    lease.save(update_fields=["written_remaining", "limit_requests", "is_owed"])


def _held(entitlement: Entitlement) -> list[Lease]:
    """Return a tenant's leases, primary versions first, locked."""
    held = Lease.objects.select_for_update(of=("self",)).filter(entitlement=entitlement)
    held = held.select_related(*_WITH_PLAN).order_by("version__slot", "version_id", "id")
    return list(held.prefetch_related("gateway_plan__usage_plan__method_limits"))


def _position(lease: Lease) -> leases.Position:
    mirror = lease.gateway_plan
    now_on = leases.Throttle(*mirror.usage_plan.fastest)
    before = leases.Throttle(mirror.fastest_rate, mirror.fastest_burst)
    return leases.Position(
        limit=lease.limit_requests,
        written_remaining=lease.written_remaining,
        written_seen=lease.written_seen,
        written_at=lease.written_at,
        opened_at=lease.opened_at,
        closed_at=lease.closed_at,
        pending_limit=lease.pending_limit,
        pending_remaining=lease.pending_remaining or 0,
        pending_seen=lease.pending_seen or 0,
        pending_at=lease.pending_at,
        seen_used=lease.seen_used,
        seen_remaining=lease.seen_remaining,
        seen_at=lease.seen_at,
        seen_since=lease.seen_since,
        live_used=lease.live_used,
        live_at=lease.live_at,
        rejoined_used=lease.rejoined_used,
        throttle=now_on if mirror.fastest_until else before.or_more(now_on),
        earlier_throttle=before,
        earlier_until=mirror.fastest_until,
    )


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
    held = _held(entitlement)
    leases_see_live(entitlement=entitlement, held=held)
    for lease in held:
        _settle_pending(lease)
        _shrink_closed(lease, now)
    open_ = {lease.pk: lease for lease in held if lease.closed_at is None}
    shared = [lease for lease in held if not _is_paid_by_use(lease, entitlement)]
    gone = sum(_at_most(lease) for lease in shared if lease.closed_at is not None)
    positions = [(lease, _position(lease)) for lease in shared]
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
    room -= sum(map(_at_most, open_.values()))
    raises = sorted(open_.values(), key=lambda lease: targets[lease.pk] >= lease.limit_requests)
    for lease in raises:
        position = _position(lease)
        # Σ leases <= E + A at every moment: a raise waits for the releases that make room for it.
        target = min(targets[lease.pk], position.ceiling + max(room, 0))
        write = leases.next_write(position, target, rules(), now)
        if room < 0 and not isinstance(write, leases.Write) and _is_only_reset(lease, entitlement):
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
        if lease.is_owed != is_owed and not _is_held_back(lease):
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


def _at_most(lease: Lease) -> int:
    """Return what a lease takes of the tenant's: what it allows, or what was used past it."""
    return max(_position(lease).ceiling, lease.seen_used)


def _is_paid_by_use(lease: Lease, entitlement: Entitlement) -> bool:
    """Say whether a lease is of an unlimited plan that was left, and no cap is over all: then it
    takes nothing of what is shared, and nobody waits until it is known what was used of it.
    """
    plan, is_capped = lease.gateway_plan.usage_plan, entitlement.cap_requests is not None
    return plan.is_unlimited and plan.pk != entitlement.tenant.usage_plan_id and not is_capped


def _is_only_reset(lease: Lease, entitlement: Entitlement) -> bool:
    """Say whether a key has what the period's reset gave it, and that is more than the tenant has:
    under a cap, which promises that no more is paid for. It stops until it is known what was used.
    """
    most = entitlement.shared_requests + entitlement.advance_requests
    is_unwritten = lease.written_at is None and lease.pending_limit is None
    return is_unwritten and lease.written_remaining > most


def _is_held_back(lease: Lease) -> bool:
    """Say whether the last write kept something back that is still to be repaid."""
    return lease.written_seen + lease.written_remaining < lease.limit_requests


def _claim(lease: Lease, now: datetime) -> leases.Claim:
    position = _position(lease)
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
    outcome = leases.pending_outcome(_position(lease), rules())
    if lease.pending_limit is None or outcome is leases.Outcome.UNKNOWN:
        return
    log.info("lease.outcome", lease=lease.pk, outcome=outcome.value)
    if outcome is leases.Outcome.APPLIED:
        _note_written(lease, lease.pending_at)
    _clear_pending(lease)
    lease.save()


def _shrink_closed(lease: Lease, now: datetime) -> None:
    """Make the lease of a version that is gone what it can have used at most.

    Its key is disabled, so that no call is needed. What was thought to be unused and was used after
    all counts again.
    """
    if lease.closed_at is None:
        return
    most = leases.used_at_most(_position(lease), rules(), now)
    lease.is_owed = most > lease.seen_used
    if most != _position(lease).ceiling or lease.pending_limit is not None:
        lease.limit_requests = most
        _clear_pending(lease)
    lease.save()


def _note_written(lease: Lease, at: datetime | None) -> None:
    """Make the pending write the confirmed one."""
    lease.limit_requests = lease.pending_limit or 0
    lease.written_remaining = lease.pending_remaining or 0
    lease.written_seen = lease.pending_seen or 0
    lease.written_at = at


def _clear_pending(lease: Lease) -> None:
    lease.pending_limit = lease.pending_remaining = lease.pending_seen = lease.pending_at = None


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
                _clear_pending(current)
                current.is_owed = True
                current.save()
        raise
    with transaction.atomic():
        current = _attempt(lease)
        if current is not None:
            _note_written(current, clock())
            _clear_pending(current)
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
