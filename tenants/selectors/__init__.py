"""What pages, the API and the apps above read. Every query starts from the tenant."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Max, Q, QuerySet, Sum

from tenants.models import (
    ApiKey,
    GatewayPlan,
    HoldReason,
    KeySlot,
    Member,
    Meter,
    QuotaGrant,
    Tenant,
    UsageDay,
    User,
)
from tenants.periods import Period, period_of
from tenants.selectors.grants import GrantRow as GrantRow
from tenants.selectors.grants import GrantState as GrantState
from tenants.selectors.grants import grant_rows as grant_rows
from tenants.selectors.grants import granted_left as granted_left
from tenants.selectors.grants import grants_in_order as grants_in_order
from tenants.selectors.invitations import Standing as Standing
from tenants.selectors.invitations import invitation_by_token as invitation_by_token
from tenants.selectors.invitations import invitations_open as invitations_open
from tenants.selectors.invitations import standing as standing
from tenants.selectors.keys import api_keys as api_keys
from tenants.selectors.keys import key_last_used as key_last_used
from tenants.selectors.keys import last_used as last_used
from tenants.selectors.keys import newest_version as newest_version
from tenants.selectors.keys import retiring_version as retiring_version
from tenants.selectors.keys import version_in_use as version_in_use
from tenants.selectors.keys import version_unrevealed as version_unrevealed
from tenants.selectors.limited import limited_requests as limited_requests
from tenants.selectors.limited import paid_by_use as paid_by_use
from tenants.selectors.limited import quota_under as quota_under
from tenants.selectors.live import live_as_of as live_as_of
from tenants.selectors.live import live_lossy as live_lossy
from tenants.selectors.live import live_meter as live_meter
from tenants.selectors.live import live_used as live_used
from tenants.selectors.live_pages import live_comparisons as live_comparisons
from tenants.selectors.live_pages import live_hour as live_hour
from tenants.selectors.live_pages import live_today as live_today
from tenants.selectors.members import is_last_owner as is_last_owner
from tenants.selectors.members import members_who_may as members_who_may
from tenants.selectors.quota import Quota as Quota
from tenants.selectors.quota import current_period as current_period
from tenants.selectors.quota import entitlement_requests as entitlement_requests
from tenants.selectors.quota import quotas as quotas
from tenants.selectors.quota import usage_in_period as usage_in_period
from tenants.selectors.tokens import api_token_by_digest as api_token_by_digest
from tenants.selectors.tokens import api_tokens as api_tokens
from tenants.selectors.tokens import member_of_token as member_of_token
from tenants.selectors.totals import caps_written as caps_written
from tenants.selectors.totals import usage_read_at as usage_read_at
from tenants.selectors.totals import usage_sums as usage_sums
from tenants.selectors.webhooks import webhook_deliveries as webhook_deliveries
from tenants.selectors.webhooks import webhook_deliveries_page as webhook_deliveries_page
from tenants.selectors.webhooks import webhook_endpoints as webhook_endpoints
from tenants.selectors.webhooks import webhook_endpoints_due as webhook_endpoints_due
from tenants.selectors.webhooks import webhook_listeners as webhook_listeners


@dataclass(frozen=True)
class UsageNow:
    """Where a tenant stands, in requests. Times are UTC; `synced_at` is None before the first sync.

    `limit` is what the plan, extensions and caps give for the period; `remaining` never shows less
    than zero, though the gateway may let a few requests more pass.
    """

    used_today: int
    used_period: int
    limit: int
    unlimited: bool
    period_start: date
    period_end: date
    resets_at: datetime
    synced_at: datetime | None

    @property
    def remaining(self) -> int:
        return max(self.limit - self.used_period, 0)

    @property
    def percent(self) -> int:
        """Return how much of the quota is used, 0 to 100, rounded down."""
        return min(100, self.used_period * 100 // self.limit) if self.limit else 100


@dataclass(frozen=True)
class DayRow:
    """One UTC day of a tenant: requests used, and what then remained of the period's quota.

    `conversions` made on the day belong to no key, and are 0 where one key's row is told.
    """

    day: date
    used: int
    remaining: int | None
    conversions: int


def membership(*, user: User, tenant_uuid: str | None) -> Member | None:
    """Return the user's membership: in the tenant asked for, else the oldest one."""
    mine = Member.objects.filter(user=user).select_related("tenant__usage_plan", "user")
    mine = mine.order_by("id")
    if tenant_uuid:
        chosen = mine.filter(tenant__uuid=tenant_uuid).first()
        if chosen is not None:
            return chosen
    return mine.first()


def memberships(*, user: User) -> QuerySet[Member]:
    """Return all of a user's memberships, by the tenant's name."""
    return Member.objects.filter(user=user).select_related("tenant").order_by("tenant__name", "id")


def usage_now(*, tenant: Tenant, now: datetime) -> UsageNow:
    """Return where the tenant stands in the quota period that `now` is in."""
    period = period_of(tenant.usage_plan.quota_period, now)
    today = now.astimezone(UTC).date()
    requests = UsageDay.objects.filter(tenant=tenant, meter=Meter.REQUESTS)
    sums = requests.aggregate(
        period=Sum("used", filter=Q(day__gte=period.start, day__lt=period.end)),
        today=Sum("used", filter=Q(day=today)),
    )
    return UsageNow(
        used_today=sums["today"] or 0,
        used_period=sums["period"] or 0,
        limit=entitlement_requests(tenant=tenant, now=now),
        unlimited=tenant.usage_plan.is_unlimited,
        period_start=period.start,
        period_end=period.end - timedelta(days=1),
        resets_at=period.closes_at,
        synced_at=synced_at(tenant=tenant),
    )


def synced_at(*, tenant: Tenant) -> datetime | None:
    """Return when the gateway was last asked about the tenant's plan."""
    plans = GatewayPlan.objects.filter(
        Q(usage_plan=tenant.usage_plan, slot=KeySlot.PRIMARY) | Q(versions__api_key__tenant=tenant)
    )
    newest: datetime | None = plans.aggregate(at=Max("read_at"))["at"]
    return newest


def usage_total(*, tenant: Tenant, meter: Meter, start: date, end: date) -> int:
    """Return a meter's total for the UTC days from `start` up to, and without, `end`."""
    days = UsageDay.objects.filter(tenant=tenant, meter=meter, day__gte=start, day__lt=end)
    return days.aggregate(total=Sum("used"))["total"] or 0


def usage_days(
    *, tenant: Tenant, start: date, end: date, api_key: ApiKey | None = None, now: datetime
) -> list[DayRow]:
    """Return a row for every UTC day from `start` to `end`, both included, oldest first.

    What remained is only told for whole tenants and for days of the current period.
    """
    rows = UsageDay.objects.filter(tenant=tenant, day__gte=start, day__lte=end)
    if api_key is not None:
        rows = rows.filter(version__api_key=api_key)
    sums = rows.order_by().values_list("meter", "day").annotate(total=Sum("used"))
    used = {(meter, day): total for meter, day, total in sums}
    period = period_of(tenant.usage_plan.quota_period, now)
    limits = _limits_by_day(tenant=tenant, period=period, now=now)
    so_far = usage_total(tenant=tenant, meter=Meter.REQUESTS, start=period.start, end=start)
    result = []
    for day in _each_day(start, end):
        requests = used.get((Meter.REQUESTS, day), 0)
        in_period = period.start <= day < period.end
        if in_period:
            so_far += requests
        tells = in_period and api_key is None and not tenant.usage_plan.is_unlimited
        remaining = max(limits[day] - so_far, 0) if tells else None
        conversions = used.get((Meter.CONVERSIONS, day), 0)
        result.append(DayRow(day, requests, remaining, conversions))
    return result


def _limits_by_day(*, tenant: Tenant, period: Period, now: datetime) -> dict[date, int]:
    """Return what the tenant could use by each day of a period: packs count from their purchase."""
    limit = entitlement_requests(tenant=tenant, now=now)
    grants = QuotaGrant.objects.filter(
        entitlement__tenant=tenant,
        entitlement__period_start=period.start,
        entitlement__period_end=period.end,
        withdrawn_at=None,
    )
    bought = [(grant.granted_at.astimezone(UTC).date(), grant.requests) for grant in grants]
    days = _each_day(period.start, period.end - timedelta(days=1))
    return {day: limit - sum(requests for on, requests in bought if on > day) for day in days}


def _each_day(start: date, end: date) -> Iterable[date]:
    return (start + timedelta(days=offset) for offset in range((end - start).days + 1))


def holds_standing(*, tenant: Tenant) -> list[str]:
    """Return why the tenant's keys are stopped, in words, with what whoever stopped them says.

    Not that an invoice is unpaid: every page has a banner for that, with the way to pay it.
    """
    standing = tenant.holds.filter(lifted_at=None).exclude(reason=HoldReason.DUNNING)
    return [
        f"{hold.get_reason_display()}: {hold.note}" if hold.note else str(hold.get_reason_display())
        for hold in standing
    ]


def grant_is_applied(*, source: str) -> bool:
    """Say whether a grant has reached the gateway."""
    return QuotaGrant.objects.filter(source=source, applied_at__isnull=False).exists()


def is_in_step(*, tenant: Tenant) -> bool:
    """Say whether the gateway shows what the tenant's rows say: nothing is asked for any more."""
    waiting = Tenant.objects.filter(pk=tenant.pk, reconcile_at__isnull=False)
    return not waiting.exists()
