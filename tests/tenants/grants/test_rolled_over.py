"""The end of a period: what is left of its grants expires or rolls over, once."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import LazySettings

from tenants import selectors, services
from tenants.models import Entitlement, GrantKind, Lease, QuotaGrant, QuotaPeriod, Tenant, UsagePlan
from tenants.selectors import GrantState
from tenants.services import closing
from tenants.services.quota import entitlement_ensure
from tests.tenants.grants.conftest import MIDNIGHT, NOVEMBER, Grant, pay_by_use, read, told, use

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


class TestPeriodsEnd:
    @pytest.mark.parametrize(
        ("used", "outcomes"),
        [
            # (used, expired, rolled over) of an expiring pack of 50, then of a rolling one of 30
            (0, [(0, 50, 0), (0, 0, 30)]),
            (100, [(0, 50, 0), (0, 0, 30)]),
            (149, [(49, 1, 0), (0, 0, 30)]),
            (150, [(50, 0, 0), (0, 0, 30)]),
            (171, [(50, 0, 0), (21, 0, 9)]),
            (180, [(50, 0, 0), (30, 0, 0)]),
            (183, [(50, 0, 0), (30, 0, 0)]),
        ],
    )
    def test_what_becomes_of_a_month(
        self, tenant: Tenant, lease: Lease, grant: Grant, used: int, outcomes: list[tuple[int, ...]]
    ) -> None:
        grant(50, "expires")
        grant(30, "rolls", rolls=True)
        use(lease, used)
        read(MIDNIGHT - timedelta(seconds=1))  # not over yet
        read(MIDNIGHT)
        assert not QuotaGrant.objects.filter(closed_at__isnull=False).exists()
        for hour in (1, 2, 3):
            read(MIDNIGHT + timedelta(hours=hour))
        rows = {row.source: row for row in selectors.grant_rows(tenant=tenant, now=MIDNIGHT)}
        ended = [rows["expires"], rows["rolls"]]
        assert [(row.used, row.expired, row.rolled_over) for row in ended] == outcomes
        rolled = outcomes[1][2]
        after = QuotaGrant.objects.filter(kind=GrantKind.ROLL_OVER)
        assert [each.requests for each in after] == ([rolled] if rolled else [])
        december = Entitlement.objects.filter(tenant=tenant, period_start=MIDNIGHT.date()).first()
        assert (december.requests if december else 100) == 100 + rolled

    def test_a_figure_that_is_revised_waits_anew(
        self, tenant: Tenant, lease: Lease, grant: Grant, settings: LazySettings
    ) -> None:
        settings.USAGE_LAG_SECONDS, settings.USAGE_SETTLE_SECONDS = 45 * 60, 60 * 60
        grant(50, "rolls", rolls=True)
        use(lease, 110)
        for minutes in (5, 44):  # figures that may lack calls of November
            read(MIDNIGHT + timedelta(minutes=minutes))
            assert Entitlement.objects.get().closing_since is None
        read(MIDNIGHT + timedelta(minutes=50))
        use(lease, 25, on=date(2026, 11, 30))  # the gateway tells of more
        read(MIDNIGHT + timedelta(minutes=110))
        read(MIDNIGHT + timedelta(minutes=169))
        assert not QuotaGrant.objects.filter(kind=GrantKind.ROLL_OVER).exists()
        read(MIDNIGHT + timedelta(minutes=170))
        assert QuotaGrant.objects.get(kind=GrantKind.ROLL_OVER).requests == 15
        use(lease, 40, on=date(2026, 11, 30))  # and too late of still more
        read(MIDNIGHT + timedelta(minutes=300))
        assert told(tenant, MIDNIGHT)[-1] == ("rolls", 35, 0, GrantState.ROLLED_OVER)
        assert QuotaGrant.objects.get(kind=GrantKind.ROLL_OVER).requests == 15

    def test_it_rolls_over_once_and_is_used_before_what_is_bought(
        self, tenant: Tenant, lease: Lease, grant: Grant
    ) -> None:
        first = grant(50, "rolls", rolls=True)
        grant(10, "early", at=MIDNIGHT + timedelta(minutes=1))
        for hour in (1, 2):
            read(MIDNIGHT + timedelta(hours=hour))
        source = f"rollover:{first.pk}"
        lease.entitlement = Entitlement.objects.get(period_start=MIDNIGHT.date())
        lease.pk = None
        lease.save()
        use(lease, 120, on=MIDNIGHT.date())
        told_now = told(tenant, MIDNIGHT + timedelta(hours=2))
        assert told_now[0] == (source, 20, 30, GrantState.APPLYING)
        january = datetime(2027, 1, 1, tzinfo=UTC)
        for hour in (1, 2, 3):
            read(january + timedelta(hours=hour))
        assert told(tenant, january)[:2] == [
            (source, 20, 0, GrantState.EXPIRED),
            ("early", 0, 0, GrantState.EXPIRED),
        ]
        assert QuotaGrant.objects.filter(kind=GrantKind.ROLL_OVER).count() == 1

    @pytest.mark.parametrize(
        ("period", "now", "ends"),
        [
            (QuotaPeriod.DAY, "2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"),
            (QuotaPeriod.DAY, "2028-02-28T12:00:00Z", "2028-02-29T00:00:00Z"),
            (QuotaPeriod.WEEK, "2026-11-28T23:59:59Z", "2026-11-29T00:00:00Z"),
            (QuotaPeriod.MONTH, "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z"),
            (QuotaPeriod.MONTH, "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        ],
    )
    def test_every_kind_of_period_rolls_into_the_next(
        self, tenant: Tenant, grant: Grant, period: str, now: str, ends: str
    ) -> None:
        at, end = datetime.fromisoformat(now), datetime.fromisoformat(ends)
        UsagePlan.objects.update(quota_period=period)
        tenant.usage_plan.refresh_from_db()
        grant(7, "rolls", rolls=True, at=at)
        closing.periods_close(now=at)
        assert not QuotaGrant.objects.filter(closed_at__isnull=False).exists()
        for minutes in (5, 10, 15):
            closing.periods_close(now=end + timedelta(minutes=minutes))
        rolled = QuotaGrant.objects.get(kind=GrantKind.ROLL_OVER)
        assert (rolled.requests, rolled.entitlement.period_start) == (7, end.date())

    def test_late_by_months_it_rolls_into_the_period_that_runs(
        self, tenant: Tenant, grant: Grant
    ) -> None:
        grant(7, "rolls", rolls=True)
        march = datetime(2027, 3, 9, tzinfo=UTC)
        closing.periods_close(now=march)
        closing.periods_close(now=march + timedelta(minutes=1))
        rolled = QuotaGrant.objects.get(kind=GrantKind.ROLL_OVER)
        assert rolled.entitlement.period_start == date(2027, 3, 1)

    def test_a_plan_without_a_limit_has_nothing_to_roll_into(
        self, tenant: Tenant, grant: Grant
    ) -> None:
        grant(7, "rolls", rolls=True)
        UsagePlan.objects.update(is_unlimited=True)
        for minutes in (5, 10):
            closing.periods_close(now=MIDNIGHT + timedelta(minutes=minutes))
        assert told(tenant, MIDNIGHT) == [("rolls", 0, 0, GrantState.EXPIRED)]

    def test_what_was_used_before_a_plan_without_a_limit_does_not_roll(
        self, lease: Lease, grant: Grant
    ) -> None:
        tenant = lease.entitlement.tenant
        grant(50, "rolls", rolls=True)
        use(lease, 130)
        unlimited = pay_by_use(tenant, NOVEMBER + timedelta(days=1))
        use(lease, 900, on=date(2026, 11, 25))
        entitlement_ensure(tenant=tenant, now=NOVEMBER + timedelta(days=5))
        assert Entitlement.objects.get().plan_requests == unlimited.quota_limit
        small = UsagePlan.objects.get(code="small")
        services.tenant_change_plan(tenant=tenant, usage_plan=small, now=MIDNIGHT)
        for hour in (1, 2):
            read(MIDNIGHT + timedelta(hours=hour))
        closed = QuotaGrant.objects.get(source="rolls")
        assert (closed.used_requests, closed.expired_requests) == (30, 0)
        assert QuotaGrant.objects.get(kind=GrantKind.ROLL_OVER).requests == 20

    def test_a_plan_by_other_periods_loses_nothing_and_gives_nothing_twice(
        self, lease: Lease, grant: Grant
    ) -> None:
        tenant = lease.entitlement.tenant
        grant(50, "expires")
        use(lease, 130)
        weekly = UsagePlan(
            code="weekly", name="Weekly", rate_limit=1, burst_limit=1, quota_limit=1_000,
            quota_period=QuotaPeriod.WEEK, is_prorated=False, advance=0,
        )  # fmt: skip
        weekly = services.usage_plan_save(usage_plan=weekly, now=NOVEMBER)
        later = NOVEMBER + timedelta(days=1)
        services.tenant_change_plan(tenant=tenant, usage_plan=weekly, now=later)
        use(lease, 900, on=later.date() + timedelta(days=1))
        assert told(tenant, later) == [("expires", 30, 20, GrantState.APPLYING)]
        for hour in (1, 2, 3):
            read(MIDNIGHT + timedelta(hours=hour))
        closed = QuotaGrant.objects.get(source="expires")
        assert (closed.used_requests, closed.expired_requests) == (30, 0)
        rolled = QuotaGrant.objects.get(kind=GrantKind.ROLL_OVER)
        assert (rolled.requests, rolled.entitlement.period_start) == (20, date(2026, 11, 29))
