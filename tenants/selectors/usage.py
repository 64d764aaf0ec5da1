"""What a tenant has used: where it stands now, and day by day. Days and periods are UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Max, Min, Q, Sum

from tenants.models import (
    ApiKey,
    GatewayPlan,
    KeySlot,
    Meter,
    Tenant,
    UsageDay,
)
from tenants.periods import Period, period_of
from tenants.selectors.limits import limits_by_day
from tenants.selectors.quota import current_entitlement

DAY = timedelta(days=1)


@dataclass(frozen=True)
class UsageNow:
    """Where a tenant stands, in requests. Times are UTC; `synced_at` is None before the first sync.

    `limit` is what the plan, extensions and caps give for the period; `remaining` never shows less
    than zero, though the gateway may let a few requests more pass. A plan without a limit has one
    while a spending cap stands: then it is `is_capped`, and not `unlimited`. `first_day` is that of
    the first request ever, None before one is counted.
    """

    used_today: int
    used_period: int
    limit: int
    unlimited: bool
    is_capped: bool
    period_start: date
    period_end: date
    resets_at: datetime
    synced_at: datetime | None
    first_day: date | None

    @property
    def remaining(self) -> int:
        return max(self.limit - self.used_period, 0)

    @property
    def percent(self) -> int:
        """Return how much of the quota is used, 0 to 100, rounded down."""
        return min(100, self.used_period * 100 // self.limit) if self.limit else 100


@dataclass(frozen=True)
class DayUsed:
    """What a tenant, or one of its keys, used on a UTC day: requests, and `conversions`, which
    belong to no key and are 0 for one.
    """

    day: date
    used: int
    conversions: int


@dataclass(frozen=True)
class DayRow(DayUsed):
    """With where that left the tenant in the period's quota.

    `so_far` is what was used of `period` by the day's end, `limit` what could be used by then; None
    where nothing ended it. All three are None for one key, and where they are not on record.
    """

    period: Period | None
    so_far: int | None
    limit: int | None

    @property
    def remaining(self) -> int | None:
        if self.so_far is None or self.limit is None:
            return None
        return max(self.limit - self.so_far, 0)


def usage_now(*, tenant: Tenant, now: datetime) -> UsageNow:
    """Return where the tenant stands in the quota period that `now` is in."""
    period = period_of(tenant.usage_plan.quota_period, now)
    entitlement = current_entitlement(tenant=tenant, now=now)
    is_unlimited = tenant.usage_plan.is_unlimited
    is_capped = is_unlimited and entitlement.cap_requests is not None
    today = now.astimezone(UTC).date()
    requests = UsageDay.objects.filter(tenant=tenant, meter=Meter.REQUESTS)
    sums = requests.aggregate(
        period=Sum("used", filter=Q(day__gte=period.start, day__lt=period.end)),
        today=Sum("used", filter=Q(day=today)),
        first=Min("day", filter=Q(used__gt=0)),
    )
    return UsageNow(
        used_today=sums["today"] or 0,
        used_period=sums["period"] or 0,
        limit=entitlement.requests,
        unlimited=is_unlimited and not is_capped,
        is_capped=is_capped,
        period_start=period.start,
        period_end=period.end - timedelta(days=1),
        resets_at=period.closes_at,
        synced_at=synced_at(tenant=tenant),
        first_day=sums["first"],
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


def days_used(
    *, tenant: Tenant, start: date, end: date, api_key: ApiKey | None = None
) -> list[DayUsed]:
    """Return what was used on every UTC day from `start` to `end`, both included, oldest first."""
    rows = UsageDay.objects.filter(tenant=tenant, day__gte=start, day__lte=end)
    if api_key is not None:
        rows = rows.filter(version__api_key=api_key)
    sums = rows.order_by().values_list("meter", "day").annotate(total=Sum("used"))
    used = {(meter, day): total for meter, day, total in sums}
    return [
        DayUsed(day, used.get((Meter.REQUESTS, day), 0), used.get((Meter.CONVERSIONS, day), 0))
        for day in (start + offset * DAY for offset in range((end - start).days + 1))
    ]


def usage_days(
    *, tenant: Tenant, start: date, end: date, api_key: ApiKey | None = None, now: datetime
) -> list[DayRow]:
    """Return those days with what they left of a quota, which is told for whole tenants, as far as
    `limits_by_day` knows it.
    """
    whole = api_key is None
    limits = limits_by_day(tenant=tenant, start=start, end=end, now=now) if whole else {}
    first = min([start, *(limit.period.start for limit in limits.values())])
    by_end = {first - DAY: 0}  # requests from `first` on
    result = []
    for each in days_used(tenant=tenant, start=first, end=end, api_key=api_key):
        by_end[each.day] = by_end[each.day - DAY] + each.used
        limit = limits.get(each.day)
        if each.day < start:
            continue
        row = DayRow(
            **vars(each),
            period=limit.period if limit else None,
            so_far=by_end[each.day] - by_end[limit.period.start - DAY] if limit else None,
            limit=limit.requests if limit else None,
        )
        result.append(row)
    return result
