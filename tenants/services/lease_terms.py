"""What is known of a lease, as tenants/leases.py reckons with it, and what that says of it."""

from datetime import timedelta

from django.conf import settings

from tenants import leases
from tenants.models import Entitlement, Lease

WITH_PLAN = ("version", "gateway_plan__usage_plan")  # what `position_of` reads


def rules() -> leases.Rules:
    """Return how late the gateway's figures are, from the settings."""
    return leases.Rules(
        lag=timedelta(seconds=settings.USAGE_LAG_SECONDS),
        settle=timedelta(seconds=settings.USAGE_SETTLE_SECONDS),
    )


def leases_held(entitlement: Entitlement) -> list[Lease]:
    """Return a tenant's leases, primary versions first, locked: by their ids, as a reading does."""
    held = Lease.objects.select_for_update(of=("self",)).filter(entitlement=entitlement)
    held = held.select_related(*WITH_PLAN).order_by("pk")
    held = held.prefetch_related("gateway_plan__usage_plan__method_limits")
    return sorted(held, key=lambda lease: (lease.version.slot, lease.version_id))


def position_of(lease: Lease) -> leases.Position:
    """Return a lease's columns with the throttle of its plan, and of before that was lowered."""
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
        rejoined_at=lease.rejoined_at,
        throttle=now_on if mirror.fastest_until else before.or_more(now_on),
        earlier_throttle=before,
        earlier_until=mirror.fastest_until,
    )


def at_most(lease: Lease) -> int:
    """Return what a lease takes of the tenant's: what it allows, or what was used past it."""
    return max(position_of(lease).ceiling, lease.seen_used)


def is_paid_by_use(lease: Lease, entitlement: Entitlement) -> bool:
    """Say whether a lease is of an unlimited plan that was left, and no cap is over all: then it
    takes nothing of what is shared, and nobody waits until it is known what was used of it.
    """
    plan, is_capped = lease.gateway_plan.usage_plan, entitlement.cap_requests is not None
    return plan.is_unlimited and plan.pk != entitlement.tenant.usage_plan_id and not is_capped


def is_only_reset(lease: Lease, entitlement: Entitlement) -> bool:
    """Say whether a key has what the period's reset gave it, and that is more than the tenant has:
    under a cap, which promises that no more is paid for. It stops until it is known what was used.
    """
    most = entitlement.shared_requests + entitlement.advance_requests
    is_unwritten = lease.written_at is None and lease.pending_limit is None
    return is_unwritten and lease.written_remaining > most


def is_held_back(lease: Lease) -> bool:
    """Say whether the last write kept something back that is still to be repaid."""
    return lease.written_seen + lease.written_remaining < lease.limit_requests


def pending_clear(lease: Lease) -> None:
    """Have no write under way any more; the caller saves."""
    lease.pending_limit = lease.pending_remaining = lease.pending_seen = lease.pending_at = None
