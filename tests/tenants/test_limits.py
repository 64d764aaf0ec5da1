"""What a tenant could use by each day: of periods that are over, only what is on record."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tenants import selectors
from tenants.models import (
    Entitlement,
    GrantKind,
    Meter,
    PlanSpan,
    QuotaGrant,
    QuotaPeriod,
    Tenant,
    UsageDay,
    UsagePlan,
)  # fmt: skip
from tenants.selectors import DayRow
from tests.cast import assemble, usage_plan_free

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)


@pytest.fixture
def tenant(db: None) -> Tenant:
    since = datetime(2026, 9, 1, tzinfo=UTC)
    tenant = assemble(usage_plan=usage_plan_free(now=since), now=since).alice_corp
    UsageDay.objects.bulk_create(
        UsageDay(
            tenant=tenant, meter=Meter.REQUESTS, day=date(2026, 9, 20) + timedelta(days=ago),
            used=2, read_at=NOW,
        )
        for ago in range(58)
    )  # fmt: skip
    return tenant


def october(tenant: Tenant, **values: int | None) -> Entitlement:
    return Entitlement.objects.create(
        tenant=tenant, period_start=date(2026, 10, 1), period_end=date(2026, 11, 1),
        plan_requests=80, advance_requests=0, **values,
    )  # fmt: skip


def rows(tenant: Tenant, start: date, end: date) -> dict[str, DayRow]:
    found = selectors.usage_days(tenant=tenant, start=start, end=end, now=NOW)
    return {f"{row.day:%m-%d}": row for row in found}


def of_october(tenant: Tenant) -> dict[str, DayRow]:
    return rows(tenant, date(2026, 10, 1), date(2026, 10, 31))


def granted(entitlement: Entitlement, requests: int, day: int, back: int | None = None) -> None:
    at = datetime(2026, 10, day, 23, 59, tzinfo=UTC)
    QuotaGrant.objects.create(
        entitlement=entitlement, kind=GrantKind.EXTENSION, requests=requests,
        source=f"order:{day}", granted_at=at,
        withdrawn_at=at.replace(day=back, hour=0) if back else None,
    )  # fmt: skip


def test_a_period_that_is_over_has_its_own_plan_and_grants(tenant: Tenant) -> None:
    entitlement = october(tenant, granted_requests=50)
    granted(entitlement, 50, day=10)
    granted(entitlement, 7, day=20, back=25)
    UsagePlan.objects.update(quota_limit=999)  # since
    found = of_october(tenant)
    limits = [row.limit for row in found.values()]
    assert limits == [80] * 9 + [130] * 10 + [137] * 5 + [130] * 7
    assert [found[day].so_far for day in ("10-01", "10-02", "10-31")] == [2, 4, 62]
    assert found["10-31"].remaining == 68

    entitlement.cap_requests = 100
    entitlement.save()
    assert [row.limit for row in of_october(tenant).values()] == [80] * 9 + [100] * 22


def test_each_day_of_a_range_is_of_its_own_period(tenant: Tenant) -> None:
    october(tenant)
    found = rows(tenant, date(2026, 9, 29), date(2026, 11, 16))
    told = [(day, row.so_far, row.limit) for day, row in found.items()]
    assert told[:3] == [("09-29", 20, 100), ("09-30", 22, 100), ("10-01", 2, 80)]
    assert told[-17:-15] == [("10-31", 62, 80), ("11-01", 2, 100)]
    alone = rows(tenant, date(2026, 10, 5), date(2026, 10, 5))
    assert alone["10-05"] == found["10-05"]


def test_what_is_not_on_record_is_not_told(tenant: Tenant) -> None:
    assert {row.period for row in of_october(tenant).values()} == {None}
    october(tenant)
    PlanSpan.objects.update(starts_on=date(2026, 11, 2))  # of which plan it was nobody knows
    assert {row.limit for row in of_october(tenant).values()} == {None}
    assert of_october(tenant)["10-31"].so_far is None


def test_a_plan_without_a_limit_had_none_whatever_the_plan_is_now(tenant: Tenant) -> None:
    entitlement = october(tenant)
    payg = UsagePlan.objects.create(
        code="payg", name="Payg", rate_limit=1, burst_limit=1, quota_limit=10**9, is_unlimited=True
    )
    PlanSpan.objects.update(starts_on=date(2026, 10, 30))
    PlanSpan.objects.create(
        tenant=tenant, usage_plan=payg, starts_on=date(2026, 9, 1), ends_on=date(2026, 10, 30)
    )
    assert of_october(tenant)["10-31"].limit == 80  # the plan that it ended with
    PlanSpan.objects.filter(usage_plan=payg).update(ends_on=date(2026, 11, 1))
    PlanSpan.objects.exclude(usage_plan=payg).update(starts_on=date(2026, 11, 1))
    last = of_october(tenant)["10-31"]
    assert (last.so_far, last.limit, last.remaining) == (62, None, None)
    entitlement.cap_requests = 70
    entitlement.save()
    assert of_october(tenant)["10-31"].remaining == 8


def test_a_day_is_of_the_plan_that_it_ended_with(tenant: Tenant) -> None:
    october(tenant)
    weekly = UsagePlan.objects.create(
        code="weekly", name="Weekly", rate_limit=1, burst_limit=1, quota_limit=20,
        quota_period=QuotaPeriod.WEEK,
    )  # fmt: skip
    PlanSpan.objects.update(starts_on=date(2026, 10, 7))
    PlanSpan.objects.create(
        tenant=tenant, usage_plan=weekly, starts_on=date(2026, 9, 1), ends_on=date(2026, 10, 7)
    )
    for start in (date(2026, 9, 27), date(2026, 10, 4)):
        Entitlement.objects.create(
            tenant=tenant, period_start=start, period_end=start + timedelta(days=7),
            plan_requests=20, advance_requests=0,
        )  # fmt: skip
    found = of_october(tenant)
    told = [(found[day].so_far, found[day].limit) for day in ("10-03", "10-06", "10-07", "10-31")]
    assert told == [(14, 20), (6, 20), (14, 80), (62, 80)]
    # A month whose first days are another plan's, from its middle on.
    assert rows(tenant, date(2026, 10, 8), date(2026, 10, 31))["10-31"] == found["10-31"]
