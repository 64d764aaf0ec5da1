"""Entitlements and periods, worked by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tenants import services
from tenants.entitlements import plan_requests
from tenants.models import PlanSpan, QuotaPeriod, Tenant, UsagePlan, User
from tenants.periods import Period, is_quiet, period_of
from tenants.services import reconcile
from tenants.services.lease_writes import QUIET

NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
FREE = UsagePlan(code="free", quota_limit=100, is_prorated=False)
STARTER = UsagePlan(code="starter", quota_limit=10_000)
PRO = UsagePlan(code="pro", quota_limit=200_000)
PAYG = UsagePlan(code="payg", quota_limit=10**9, is_prorated=False, is_unlimited=True)


def span(plan: UsagePlan, start: tuple[int, int], end: tuple[int, int] | None = None) -> PlanSpan:
    ends_on = date(2026, *end) if end else None
    return PlanSpan(usage_plan=plan, starts_on=date(2026, *start), ends_on=ends_on)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([span(STARTER, (10, 3))], 10_000),
        ([span(STARTER, (11, 24))], 2_333),  # 7 of 30 days: 2,333.33
        ([span(STARTER, (11, 30))], 333),
        ([span(STARTER, (11, 16))], 5_000),
        ([span(FREE, (11, 30))], 100),
        # Free until paid for, on the same day: the free quota does not stack.
        ([span(FREE, (11, 24), (11, 24)), span(STARTER, (11, 24))], 2_333),
        # Half a month each.
        ([span(STARTER, (10, 1), (11, 16)), span(PRO, (11, 16))], 105_000),
        # Back to free: what was paid for stays, and nothing is added.
        ([span(STARTER, (11, 1), (11, 4)), span(FREE, (11, 4))], 1_000),
        ([span(STARTER, (11, 1), (11, 1)), span(FREE, (11, 1))], 100),
        # Going back and forth pays nothing.
        ([span(FREE, (11, 1), (11, 2)), span(STARTER, (11, 2), (11, 2)), span(FREE, (11, 2))], 100),
        ([span(FREE, (9, 1), (10, 31)), span(STARTER, (12, 1))], 0),
        # One that is paid by use gives what is asked for, and nothing once it is left.
        ([span(FREE, (10, 1), (11, 4)), span(PAYG, (11, 4))], 10**9),
        ([span(PAYG, (10, 1), (11, 1)), span(FREE, (11, 1))], 100),
        ([span(PAYG, (10, 1), (11, 16)), span(STARTER, (11, 16))], 5_000),
        ([span(PAYG, (11, 16), (11, 16)), span(FREE, (11, 16))], 100),
    ],
)
def test_what_plans_give(spans: list[PlanSpan], expected: int) -> None:
    assert plan_requests(spans=spans, period=NOVEMBER) == expected


def test_what_was_paid_by_use_is_not_taken_from_the_next_plan() -> None:
    spans = [span(PAYG, (10, 1), (11, 16)), span(STARTER, (11, 16))]
    assert plan_requests(spans=spans, period=NOVEMBER, paid_by_use=70_000) == 75_000


@pytest.mark.parametrize(
    ("kind", "now", "start", "end"),
    [
        (QuotaPeriod.MONTH, "2026-11-30T23:59:59Z", "2026-11-01", "2026-12-01"),
        (QuotaPeriod.MONTH, "2026-12-01T00:00:00Z", "2026-12-01", "2027-01-01"),
        (QuotaPeriod.MONTH, "2028-02-29T12:00:00Z", "2028-02-01", "2028-03-01"),
        (QuotaPeriod.MONTH, "2026-12-01T08:00:00+09:00", "2026-11-01", "2026-12-01"),
        (QuotaPeriod.DAY, "2026-11-30T23:59:59Z", "2026-11-30", "2026-12-01"),
        (QuotaPeriod.WEEK, "2026-11-28T23:59:59Z", "2026-11-22", "2026-11-29"),  # a Saturday
        (QuotaPeriod.WEEK, "2026-11-29T00:00:00Z", "2026-11-29", "2026-12-06"),  # a Sunday
    ],
)
def test_periods_are_utc_calendar_periods(kind: str, now: str, start: str, end: str) -> None:
    period = period_of(kind, datetime.fromisoformat(now))
    assert (period.start.isoformat(), period.end.isoformat()) == (start, end)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 1, 0, 0, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 1, 0, 1, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 30, 23, 59, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 30, 23, 59, 1, tzinfo=UTC), True),
    ],
)
def test_nothing_is_written_at_the_edges_of_a_period(now: datetime, expected: bool) -> None:
    assert is_quiet(NOVEMBER, now, margin=QUIET) is expected


@pytest.mark.django_db
def test_a_day_opens_for_who_left_a_plan_of_months() -> None:
    """The month that the old plan began still runs; it is not the period that has to be opened."""
    monthly, daily = (
        UsagePlan.objects.create(
            code=kind, name=kind, rate_limit=10, burst_limit=10, quota_limit=100, quota_period=kind
        )
        for kind in (QuotaPeriod.MONTH, QuotaPeriod.DAY)
    )
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    owner = User.objects.create_user("day@example.org", "x")
    tenant = services.tenant_create(name="Day", owner=owner, usage_plan=monthly, now=now)
    services.tenant_change_plan(tenant=tenant, usage_plan=daily, now=now)
    Tenant.objects.update(reconcile_at=None)
    assert reconcile.tenants_without_period(now=now) == []
    assert reconcile.tenants_without_period(now=now + timedelta(days=1)) == [tenant]
