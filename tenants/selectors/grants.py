"""What is left of the requests that a tenant was granted, and what became of earlier ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import models
from django.db.models import Case, Prefetch, Q, QuerySet, Sum, Value, When
from django.utils.translation import gettext_lazy as _

from tenants.grants import used_of_each
from tenants.models import Entitlement, GrantKind, Meter, QuotaGrant, Tenant, UsageDay
from tenants.periods import Period
from tenants.selectors.limited import limited_requests
from tenants.selectors.quota import current_period

MOST_PERIODS = 24  # that a page looks back on: nothing costs more with a tenant's past


class GrantState(models.TextChoices):
    """Where a grant is."""

    APPLYING = "applying", _("on its way to your keys")
    LEFT = "left", _("available")
    USED = "used", _("used up")
    SETTLING = "settling", _("being settled")
    EXPIRED = "expired", _("expired")
    ROLLED_OVER = "rolled_over", _("rolled over")
    WITHDRAWN = "withdrawn", _("being taken back")
    RETURNED = "returned", _("given back")


@dataclass(frozen=True)
class GrantRow:
    """A grant and what became of it, in requests: used, expired, rolled over, or still left.

    Its period is of UTC days, both included; what is left ends at `expires_at`. Where a period is
    over and not settled, nothing is said to be left.
    """

    source: str
    kind: GrantKind
    requests: int
    used: int
    left: int
    expired: int
    rolled_over: int
    rolls_over: bool
    state: GrantState
    granted_at: datetime
    period_start: date
    period_end: date
    expires_at: datetime


def grants_in_order(*, entitlement: Entitlement) -> QuerySet[QuotaGrant]:
    """Return a period's grants in the order in which they are used.

    What was rolled over is the oldest, whenever it came; the others go by age.
    """
    return _in_order(entitlement.grants.all())


def _in_order(grants: QuerySet[QuotaGrant]) -> QuerySet[QuotaGrant]:
    rolled_first = Case(When(kind=GrantKind.ROLL_OVER, then=Value(0)), default=Value(1))
    return grants.order_by(rolled_first, "granted_at", "id")


def grant_rows(*, tenant: Tenant, now: datetime) -> list[GrantRow]:
    """Return a tenant's grants, the newest period first, and within it in the order of use."""
    granted = Entitlement.objects.filter(tenant=tenant, grants__isnull=False).distinct()
    entitlements = granted.order_by("-period_start", "-id")[:MOST_PERIODS]
    ordered = Prefetch("grants", queryset=_in_order(QuotaGrant.objects.all()))
    rows: list[GrantRow] = []
    for entitlement in entitlements.prefetch_related(ordered):
        rows += _rows(entitlement, list(entitlement.grants.all()), now)
    return rows


def granted_left(*, tenant: Tenant, now: datetime) -> int:
    """Return how many requests are left of what a tenant was granted for the current period."""
    period = current_period(tenant=tenant, now=now)
    granted = QuotaGrant.objects.filter(
        entitlement__tenant=tenant,
        entitlement__period_start=period.start,
        entitlement__period_end=period.end,
    )
    grants = list(_in_order(granted.select_related("entitlement")))
    return sum(row.left for row in _rows(grants[0].entitlement, grants, now)) if grants else 0


def _rows(entitlement: Entitlement, grants: list[QuotaGrant], now: datetime) -> Iterable[GrantRow]:
    standing = [grant for grant in grants if grant.withdrawn_at is None]
    shares: dict[int, int] = {}
    if any(grant.closed_at is None for grant in standing):
        used = _used(entitlement)
        each = used_of_each(
            plan=limited_requests(entitlement=entitlement),
            grants=[grant.requests for grant in standing],
            used=used,
        )
        shares = {grant.pk: share for grant, share in zip(standing, each, strict=True)}
    for grant in grants:
        yield _row(entitlement, grant, shares.get(grant.pk, 0), now)


def _used(entitlement: Entitlement) -> int:
    days = UsageDay.objects.filter(
        Q(day__gte=entitlement.period_start, day__lt=entitlement.period_end),
        tenant=entitlement.tenant_id,
        meter=Meter.REQUESTS,
    )
    return days.aggregate(total=Sum("used"))["total"] or 0


def _row(entitlement: Entitlement, grant: QuotaGrant, share: int, now: datetime) -> GrantRow:
    is_over = entitlement.period_end <= now.astimezone(UTC).date()
    is_closed = grant.closed_at is not None
    counts = grant.withdrawn_at is None
    used = grant.used_requests if is_closed else share
    rolled_over = grant.requests - used - grant.expired_requests if is_closed and counts else 0
    return GrantRow(
        source=grant.source,
        kind=GrantKind(grant.kind),
        requests=grant.requests,
        used=used,
        left=grant.requests - used if counts and not is_over else 0,
        expired=grant.expired_requests,
        rolled_over=rolled_over,
        rolls_over=grant.rolls_over,
        state=_state(grant, used, rolled_over, is_over=is_over),
        granted_at=grant.granted_at,
        period_start=entitlement.period_start,
        period_end=entitlement.period_end - timedelta(days=1),
        expires_at=Period(entitlement.period_start, entitlement.period_end).closes_at,
    )


def _state(grant: QuotaGrant, used: int, rolled_over: int, *, is_over: bool) -> GrantState:
    if grant.withdrawn_at is not None:
        return GrantState.WITHDRAWN if grant.closed_at is None else GrantState.RETURNED
    if grant.closed_at is not None:
        if rolled_over:
            return GrantState.ROLLED_OVER
        return GrantState.EXPIRED if grant.expired_requests else GrantState.USED
    if is_over:
        return GrantState.SETTLING
    if used >= grant.requests:
        return GrantState.USED
    return GrantState.LEFT if grant.applied_at else GrantState.APPLYING
