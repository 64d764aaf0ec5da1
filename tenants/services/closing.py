"""When a quota period is over: settle what was used of it, then say what became of its grants.

A figure counts as settled as everywhere: it tells of all calls of the period, and was read again
unchanged (docs/quota.md). Until then nothing is closed, and nothing rolls over. Then each grant's
outcome is written down once. What the gateway revises later changes none of it.
"""

from datetime import UTC, datetime

import structlog
from django.db import transaction
from django.db.models import Min, Q

import tenants.selectors
from tenants.grants import used_of_each
from tenants.models import (
    Entitlement,
    GatewayPlan,
    GrantKind,
    Meter,
    PlanSpan,
    QuotaGrant,
    Tenant,
    TenantState,
)
from tenants.periods import Period, period_of
from tenants.services.lease_terms import rules
from tenants.services.quota import quota_grant

log = structlog.get_logger(__name__)


def periods_close(*, now: datetime) -> int:
    """Settle and close the periods that are over and have grants; return how many were closed.

    Safe to run twice, in parallel, and late: what is unused rolls over into the period that runs
    once it is known. One period's failure stops no other.
    """
    open_ = QuotaGrant.objects.filter(
        closed_at=None, entitlement__period_end__lte=now.astimezone(UTC).date()
    )
    ids = sorted(set(open_.values_list("entitlement", flat=True)))
    closed = 0
    for pk in ids:
        try:
            closed += _close(pk, now)
        except Exception:
            log.exception("period.not_closed", entitlement=pk)
    return closed


@transaction.atomic
def _close(entitlement_id: int, now: datetime) -> bool:
    """Note the newest figure of a period; once it has settled, close the grants."""
    found = Entitlement.objects.select_related("tenant__usage_plan").get(pk=entitlement_id)
    tenant = (
        Tenant.objects.select_for_update(of=("self",))
        .select_related("usage_plan")
        .get(pk=found.tenant_id)
    )
    entitlement = Entitlement.objects.select_for_update().get(pk=entitlement_id)
    if entitlement.settled_at is None and not _settle(entitlement, now):
        return False
    grants = list(tenants.selectors.grants_in_order(entitlement=entitlement))
    if any(grant.withdrawn_at and not grant.closed_at for grant in grants):
        return False  # whoever withdrew it has to say first what became of it
    standing = [grant for grant in grants if grant.withdrawn_at is None]
    shares = used_of_each(
        plan=tenants.selectors.limited_requests(entitlement=entitlement),
        grants=[grant.requests for grant in standing],
        used=entitlement.closing_used or 0,
    )
    for grant, used in zip(standing, shares, strict=True):
        if grant.closed_at is None:
            _grant_close(grant, used, tenant, now)
    return True


def _settle(entitlement: Entitlement, now: datetime) -> bool:
    """Note what a period was used by the newest reading; return whether that has settled."""
    read_at = _read_at(entitlement, now)
    period = Period(entitlement.period_start, entitlement.period_end)
    if read_at is None or read_at < period.closes_at + rules().lag:
        return False
    used = tenants.selectors.usage_total(
        tenant=entitlement.tenant, meter=Meter.REQUESTS, start=period.start, end=period.end
    )
    since = entitlement.closing_since
    if since is None or used != entitlement.closing_used:
        entitlement.closing_used, entitlement.closing_since = used, read_at
    elif read_at > since and read_at - since >= rules().settle:
        entitlement.settled_at = now
    entitlement.save(update_fields=["closing_used", "closing_since", "settled_at"])
    return entitlement.settled_at is not None


def _read_at(entitlement: Entitlement, now: datetime) -> datetime | None:
    """Return when the gateway was last asked about all plans of a period; None: not all were."""
    plans = GatewayPlan.objects.filter(lease__entitlement=entitlement).exclude(gateway_id="")
    if not plans.exists():
        return now  # without a key nothing was used
    if plans.filter(Q(read_at=None)).exists():
        return None
    oldest: datetime | None = plans.aggregate(at=Min("read_at"))["at"]
    return oldest


def _was_left(entitlement: Entitlement) -> bool:
    """Say whether a period's plan was left for one that counts by other periods: what was granted
    could not be used to the end.
    """
    period = Period(entitlement.period_start, entitlement.period_end)
    held = PlanSpan.objects.filter(tenant=entitlement.tenant_id, starts_on__lt=period.end)
    last = held.select_related("usage_plan").order_by("-starts_on", "-id").first()
    kind = last.usage_plan.quota_period if last is not None else ""
    return period_of(kind, period.opens_at) != period


def _grant_close(grant: QuotaGrant, used: int, tenant: Tenant, now: datetime) -> None:
    """Write down what became of a grant; what rolls over becomes one of the running period, by
    its rule or since it could not be used.
    """
    unused = grant.requests - used
    rolls = (
        unused > 0
        and (grant.rolls_over or _was_left(grant.entitlement))
        and not tenant.usage_plan.is_unlimited
        and tenant.state == TenantState.ACTIVE
    )
    grant.used_requests = used
    grant.expired_requests = 0 if rolls else unused
    grant.closed_at = now
    grant.save(update_fields=["used_requests", "expired_requests", "closed_at"])
    if rolls:
        quota_grant(
            tenant=tenant,
            requests=unused,
            kind=GrantKind.ROLL_OVER,
            source=f"rollover:{grant.pk}",
            period_start=period_of(tenant.usage_plan.quota_period, now).start,
            now=now,
        )
