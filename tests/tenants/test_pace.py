"""For how long what is left lasts: the pace of the last days, and where it is too early to tell."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tenants import selectors
from tenants.models import Entitlement, GatewayPlan, GrantKind, Meter, Tenant, UsageDay
from tenants.selectors.pace import Lasting, Outlook, outlook, pace_days
from tenants.services import quota_grant
from tests.cast import assemble, usage_plan_free

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)  # the free plan's 100 requests end with November


@pytest.fixture
def tenant(db: None) -> Tenant:
    since = NOW - timedelta(days=60)
    return assemble(usage_plan=usage_plan_free(now=since), now=since).alice_corp


def used(tenant: Tenant, counts: dict[int, int]) -> None:
    """Let these be the requests of the days of November; days below 1 are of October's end."""
    for day, count in counts.items():
        UsageDay.objects.create(
            tenant=tenant,
            meter=Meter.REQUESTS,
            day=date(2026, 11, 1) + timedelta(days=day - 1),
            used=count,
            read_at=NOW,
        )


def seen(tenant: Tenant, now: datetime = NOW) -> Outlook:
    usage = selectors.usage_now(tenant=tenant, now=now)
    first = pace_days(usage=usage, now=now)
    rows = selectors.usage_days(tenant=tenant, start=first, end=now.date(), now=now)
    return outlook(usage=usage, rows=rows, now=now)


def test_it_is_too_early_until_a_day_after_the_first_call_is_complete(tenant: Tenant) -> None:
    assert seen(tenant) == Outlook(Lasting.EARLY, None, None, None)
    used(tenant, {15: 90})
    assert seen(tenant).lasting == Lasting.EARLY
    tomorrow = seen(tenant, NOW + timedelta(days=1))
    assert (tomorrow.lasting, tomorrow.per_day) == (Lasting.LASTS, 0)


def test_the_pace_is_of_seven_complete_days_and_today_so_far(tenant: Tenant) -> None:
    used(tenant, {1: 40, **dict.fromkeys(range(9, 16), 2), 16: 1})
    found = seen(tenant)
    assert found.per_day == 2
    assert (found.lasting, found.runs_out_at) == (Lasting.LASTS, None)
    assert found.expected == 55 + 2 * 14.5


def test_what_will_not_last_has_a_day(tenant: Tenant) -> None:
    used(tenant, {1: 1, **dict.fromkeys(range(9, 16), 8), 16: 4})
    found = seen(tenant)  # 39 are left, at 8 a day
    assert (found.lasting, found.per_day) == (Lasting.SHORT, 8)
    assert found.runs_out_at == NOW + timedelta(days=39 / 8)
    quota_grant(
        tenant=tenant, requests=100, kind=GrantKind.EXTENSION, source="order:1",
        period_start=date(2026, 11, 1), now=NOW,
    )  # fmt: skip
    assert seen(tenant).lasting == Lasting.LASTS


def test_a_quiet_start_is_not_taken_for_the_pace(tenant: Tenant) -> None:
    used(tenant, {13: 1, 14: 10, 15: 10, 16: 5})
    assert seen(tenant).per_day == 10


def test_days_behind_a_closed_gate_are_not_taken_for_quiet(tenant: Tenant) -> None:
    used(tenant, {1: 10, 10: 45, 11: 45, 12: 0, 13: 0, 14: 0, 15: 0})
    assert seen(tenant).lasting == Lasting.USED_UP
    quota_grant(
        tenant=tenant, requests=90, kind=GrantKind.EXTENSION, source="order:1",
        period_start=date(2026, 11, 1), now=NOW,
    )  # fmt: skip
    # Of the week three days had an open gate, and today has one again.
    assert seen(tenant).per_day == 90 / 3.5


def test_nor_are_those_of_the_period_before(tenant: Tenant) -> None:
    Entitlement.objects.create(
        tenant=tenant, period_start=date(2026, 10, 1), period_end=date(2026, 11, 1),
        plan_requests=100, advance_requests=0,
    )  # fmt: skip
    used(tenant, {-20: 50, -11: 50, **dict.fromkeys(range(-10, 1), 0)})  # used up on 20 October
    first = datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert seen(tenant, first).lasting == Lasting.EARLY
    used(tenant, {1: 20, 2: 10})
    second = seen(tenant, first + timedelta(days=1))
    assert (second.lasting, second.per_day) == (Lasting.SHORT, 20)
    used(tenant, {3: 70, 4: 0})
    third = seen(tenant, first + timedelta(days=3))
    assert (third.lasting, third.per_day) == (Lasting.USED_UP, 100 / 3)


def test_what_is_left_of_a_period_begins_with_it_however_old_the_figures_are(
    tenant: Tenant,
) -> None:
    used(tenant, {**dict.fromkeys(range(-9, 0), 8), 0: 4})
    GatewayPlan.objects.update(read_at=datetime(2026, 10, 31, 12, tzinfo=UTC))
    found = seen(tenant, datetime(2026, 11, 1, 0, 0, 1, tzinfo=UTC))
    assert (found.per_day, found.expected) == (8, 8 * 30)
    assert found.runs_out_at == datetime(2026, 11, 13, 12, tzinfo=UTC)


def test_a_cap_limits_a_plan_that_has_no_limit(tenant: Tenant) -> None:
    used(tenant, {1: 1, **dict.fromkeys(range(9, 16), 8), 16: 4})
    tenant.usage_plan.is_unlimited = True
    tenant.usage_plan.save()
    assert seen(tenant).lasting == Lasting.UNLIMITED
    assert seen(tenant).expected == 61 + 8 * 14.5
    Entitlement.objects.filter(tenant=tenant).delete()
    Entitlement.objects.create(
        tenant=tenant, period_start=date(2026, 11, 1), period_end=date(2026, 12, 1),
        plan_requests=1_000, advance_requests=0, cap_requests=70,
    )  # fmt: skip
    usage = selectors.usage_now(tenant=tenant, now=NOW)
    assert (usage.is_capped, usage.unlimited, usage.remaining) == (True, False, 9)
    assert seen(tenant).lasting == Lasting.SHORT
    (today,) = selectors.usage_days(tenant=tenant, start=NOW.date(), end=NOW.date(), now=NOW)
    assert (today.so_far, today.limit, today.remaining) == (61, 70, 9)
