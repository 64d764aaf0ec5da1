"""Which worker drives a tenant's keys in the gateway: one at a time, while it renews its claim.

A claim that has run out is lost, taken by somebody else or not. Whoever was away for so long, in a
process that stood still or waiting for an answer, knows what was, not what is: it writes nothing
more, and starts over. So a claim is renewed before each outside call, and again before its answer
is noted.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from tenants.models import Tenant


class ClaimLost(Exception):
    """The claim ran out, or another worker, by whose clock it had, has taken the tenant."""


def claim_take(*, tenant_id: int, now: datetime) -> Tenant | None:
    """Take a tenant for this worker and return it, read anew; None where another worker has it."""
    free = Tenant.objects.filter(pk=tenant_id).filter(
        Q(claimed_until=None) | Q(claimed_until__lt=now)
    )
    until = _until(now)
    if not free.update(claimed_until=until):
        return None
    tenant = Tenant.objects.select_related("usage_plan").get(pk=tenant_id)
    tenant.claimed_until = until
    return tenant


def claim_renew(*, tenant: Tenant, now: datetime) -> None:
    """Keep a tenant that was taken. Raise ClaimLost."""
    until = _until(now)
    mine = Tenant.objects.filter(pk=tenant.pk, claimed_until=tenant.claimed_until)
    if not mine.filter(claimed_until__gte=now).update(claimed_until=until):
        raise ClaimLost
    tenant.claimed_until = until


@transaction.atomic
def claim_release(*, tenant: Tenant, next_at: datetime | None, error: str) -> bool:
    """Give a tenant back, due again at `next_at`. Return False where it stays due: something was
    asked for meanwhile, or the claim was lost.
    """
    mine = Tenant.objects.filter(pk=tenant.pk, claimed_until=tenant.claimed_until)
    released = mine.update(
        claimed_until=None,
        reconcile_error=error,
        reconcile_attempts=F("reconcile_attempts") + 1 if error else 0,
    )
    current = Tenant.objects.filter(pk=tenant.pk, reconcile_revision=tenant.reconcile_revision)
    return bool(released) and bool(current.update(reconcile_at=next_at))


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.GATEWAY_CLAIM_SECONDS)
