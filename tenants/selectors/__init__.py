"""What pages, the API and the apps above read. Every query starts from the tenant."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Max, Q, QuerySet, Sum

from tenants.entitlements import plan_requests
from tenants.models import (
    ApiKey,
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    HoldReason,
    KeySlot,
    Member,
    Meter,
    PlanSpan,
    QuotaGrant,
    Tenant,
    UsageDay,
    User,
    VersionStatus,
)
from tenants.periods import Period, period_of
from tenants.selectors.grants import GrantRow as GrantRow
from tenants.selectors.grants import GrantState as GrantState
from tenants.selectors.grants import grant_rows as grant_rows
from tenants.selectors.grants import granted_left as granted_left
from tenants.selectors.grants import grants_in_order as grants_in_order
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
from tenants.selectors.totals import caps_written as caps_written
from tenants.selectors.totals import usage_read_at as usage_read_at
from tenants.selectors.totals import usage_sums as usage_sums


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


def entitlement_requests(*, tenant: Tenant, now: datetime) -> int:
    """Return what the tenant may use in the current period, in requests.

    Computed where no worker has opened the period yet.
    """
    period = period_of(tenant.usage_plan.quota_period, now)
    stored = Entitlement.objects.filter(
        tenant=tenant, period_start=period.start, period_end=period.end
    ).first()
    if stored is not None:
        return stored.requests
    spans = PlanSpan.objects.filter(tenant=tenant).select_related("usage_plan")
    return plan_requests(spans=list(spans), period=period)


@dataclass(frozen=True)
class Quota:
    """What a tenant may use in the current period of UTC days, both included; None: no limit."""

    limit: int | None
    period_start: date
    period_end: date


def quotas(*, tenants: QuerySet[Tenant], now: datetime) -> dict[int, Quota]:
    """Return each tenant's quota by its id, in one query, or two at a period's start.

    Needs their `usage_plan`. Computed where no worker has opened the period yet, as for one tenant
    in `entitlement_requests`.
    """
    periods = {each.pk: period_of(each.usage_plan.quota_period, now) for each in tenants}
    today = now.astimezone(UTC).date()
    current = Entitlement.objects.filter(
        tenant__in=tenants, period_start__lte=today, period_end__gt=today
    )
    requests = {
        each.tenant_id: each.requests
        for each in current
        if Period(each.period_start, each.period_end) == periods.get(each.tenant_id)
    }
    spans: dict[int, list[PlanSpan]] = defaultdict(list)
    if any(not each.usage_plan.is_unlimited and each.pk not in requests for each in tenants):
        for span in PlanSpan.objects.filter(tenant__in=tenants).select_related("usage_plan"):
            spans[span.tenant_id].append(span)
    found = {}
    for tenant in tenants:
        period = periods[tenant.pk]
        if tenant.usage_plan.is_unlimited:
            limit = None
        elif tenant.pk in requests:
            limit = requests[tenant.pk]
        else:
            limit = plan_requests(spans=spans[tenant.pk], period=period)
        found[tenant.pk] = Quota(limit, period.start, period.end - timedelta(days=1))
    return found


def usage_in_period(*, tenants: QuerySet[Tenant], now: datetime) -> dict[int, int]:
    """Return what each tenant has used of its current period, in a query per kind of period.

    Needs their `usage_plan`.
    """
    by_period: dict[Period, list[int]] = defaultdict(list)
    for tenant in tenants:
        by_period[period_of(tenant.usage_plan.quota_period, now)].append(tenant.pk)
    used: dict[int, int] = {}
    for period, ids in by_period.items():
        days = UsageDay.objects.filter(
            tenant__in=ids, meter=Meter.REQUESTS, day__gte=period.start, day__lt=period.end
        )
        used |= dict(days.order_by().values_list("tenant").annotate(total=Sum("used")))
    return used


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


def current_period(*, tenant: Tenant, now: datetime) -> Period:
    """Return the quota period of the tenant's plan that `now` is in."""
    return period_of(tenant.usage_plan.quota_period, now)


def api_keys(*, tenant: Tenant) -> QuerySet[ApiKey]:
    """Return a tenant's keys that are not revoked, with all their versions, oldest first."""
    living = ApiKey.objects.filter(tenant=tenant, revoked_at=None)
    return living.select_related("created_by").prefetch_related("versions")


def newest_version(*, api_key: ApiKey) -> ApiKeyVersion:
    """Return the version that a key stands for: the last one made."""
    return max(api_key.versions.all(), key=lambda version: version.pk)


def version_in_use(*, gateway_id: str) -> ApiKeyVersion | None:
    """Return the version with this id in the gateway, unless it is revoked or was never active."""
    versions = ApiKeyVersion.objects.select_related("api_key__tenant__usage_plan")
    in_use = versions.filter(status__in=[VersionStatus.ACTIVE, VersionStatus.RETIRING])
    return in_use.filter(gateway_id=gateway_id).first() if gateway_id else None


def last_used(*, tenant: Tenant) -> dict[int, date]:
    """Return the last UTC day on which each key was used, by the key's id."""
    used = UsageDay.objects.filter(tenant=tenant, meter=Meter.REQUESTS, used__gt=0)
    return dict(used.order_by().values_list("version__api_key").annotate(last=Max("day")))


def version_unrevealed(*, tenant: Tenant) -> ApiKeyVersion | None:
    """Return the oldest living version whose value nobody has been shown yet."""
    return (
        ApiKeyVersion.objects.filter(
            api_key__tenant=tenant,
            api_key__revoked_at=None,
            revealed_at=None,
            status__in=[VersionStatus.PENDING, VersionStatus.ACTIVE],
        )
        .select_related("api_key")
        .order_by("id")
        .first()
    )


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
