"""Grants as a ledger: what is used of each, what is left, what rolls over, what is given back."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tenants import selectors, services
from tenants.errors import NotInThisState
from tenants.grants import used_of_each
from tenants.models import (
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    GrantKind,
    Lease,
    Meter,
    QuotaGrant,
    QuotaPeriod,
    Tenant,
    UsageDay,
    UsagePlan,
    User,
)
from tenants.selectors import GrantState
from tenants.services import Release, closing
from tenants.services.quota import entitlement_ensure

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

NOVEMBER = datetime(2026, 11, 20, 9, tzinfo=UTC)
MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
Grant = Callable[..., QuotaGrant]


@pytest.mark.parametrize(
    ("plan", "grants", "used", "expected"),
    [
        (100, [50, 30], 0, [0, 0]),
        (100, [50, 30], 100, [0, 0]),  # the plan's own count as used first
        (100, [50, 30], 101, [1, 0]),
        (100, [50, 30], 150, [50, 0]),
        (100, [50, 30], 151, [50, 1]),
        (100, [50, 30], 180, [50, 30]),
        (100, [50, 30], 185, [50, 30]),  # what the gateway let past is nobody's
        (0, [7], 3, [3]),
        (100, [], 300, []),
    ],
)
def test_what_is_used_of_each(plan: int, grants: list[int], used: int, expected: list[int]) -> None:
    assert used_of_each(plan=plan, grants=grants, used=used) == expected


@given(
    plan=st.integers(0, 500),
    grants=st.lists(st.integers(1, 200), max_size=6),
    used=st.integers(0, 2000),
)
def test_what_is_used_adds_up(plan: int, grants: list[int], used: int) -> None:
    shares = used_of_each(plan=plan, grants=grants, used=used)
    assert sum(shares) == min(max(used - plan, 0), sum(grants))
    assert all(0 <= share <= requests for share, requests in zip(shares, grants, strict=True))


@pytest.fixture
def plan(db: None) -> UsagePlan:
    """100 requests a month; a burst of one, so that nothing is uncertain for long."""
    plan = UsagePlan(
        code="small", name="Small", rate_limit=1, burst_limit=1, quota_limit=100,
        is_prorated=False, advance=0,
    )  # fmt: skip
    return services.usage_plan_save(usage_plan=plan, now=NOVEMBER)


@pytest.fixture
def tenant(plan: UsagePlan, alice_user: User) -> Tenant:
    return services.tenant_create(
        name="Alice Corp", owner=alice_user, usage_plan=plan, now=NOVEMBER
    )


@pytest.fixture
def lease(tenant: Tenant) -> Lease:
    """The tenant's key, as it is once the gateway has it."""
    entitlement = entitlement_ensure(tenant=tenant, now=NOVEMBER)
    mirror = tenant.usage_plan.mirrors.get(slot="primary")
    GatewayPlan.objects.filter(pk=mirror.pk).update(gateway_id="plan", read_at=NOVEMBER)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    return Lease.objects.create(
        entitlement=entitlement, version=version, gateway_plan=mirror, limit_requests=100,
        written_remaining=100, opened_at=NOVEMBER,
    )  # fmt: skip


@pytest.fixture
def grant(tenant: Tenant) -> Grant:
    def grant(
        requests: int, source: str, *, rolls: bool = False, at: datetime = NOVEMBER
    ) -> QuotaGrant:
        start = selectors.current_period(tenant=tenant, now=at).start
        return services.quota_grant(
            tenant=tenant, requests=requests, kind=GrantKind.EXTENSION, source=source,
            period_start=start, rolls_over=rolls, now=at,
        )  # fmt: skip

    return grant


def use(lease: Lease, requests: int, *, on: date = date(2026, 11, 20)) -> None:
    """Have the gateway tell that so many were used in all on a day."""
    UsageDay.objects.update_or_create(
        version=lease.version, gateway_plan=lease.gateway_plan, meter=Meter.REQUESTS, day=on,
        defaults={"tenant": lease.entitlement.tenant, "used": requests, "read_at": NOVEMBER},
    )  # fmt: skip


def read(at: datetime) -> None:
    """Have the gateway's plans asked at a time, and look whether a period can be closed."""
    GatewayPlan.objects.exclude(gateway_id="").update(read_at=at)
    closing.periods_close(now=at)


def told(tenant: Tenant, now: datetime) -> list[tuple[str, int, int, str]]:
    """Return each grant: of what, used, left, state."""
    rows = selectors.grant_rows(tenant=tenant, now=now)
    return [(row.source, row.used, row.left, row.state) for row in rows]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
def test_a_tenant_is_locked_without_its_plan(tenant: Tenant, grant: Grant) -> None:
    """All tenants share it, and who changes it locks it before them."""
    with CaptureQueriesContext(connection) as queries:
        grant(7, "a")
        services.quota_cap_set(tenant=tenant, requests=5, now=NOVEMBER)
        closing.periods_close(now=MIDNIGHT)
    locks = [each["sql"] for each in queries if "FOR UPDATE" in each["sql"]]
    joined = [sql for sql in locks if "JOIN" in sql]
    assert len(joined) == 3
    assert all(sql.endswith('FOR UPDATE OF "tenants_tenant"') for sql in joined)


class TestLeft:
    def test_the_oldest_is_used_first(self, tenant: Tenant, lease: Lease, grant: Grant) -> None:
        grant(50, "a")
        grant(30, "b", at=NOVEMBER + timedelta(hours=1))
        QuotaGrant.objects.update(applied_at=NOVEMBER)
        use(lease, 120)
        assert told(tenant, NOVEMBER) == [
            ("a", 20, 30, GrantState.LEFT),
            ("b", 0, 30, GrantState.LEFT),
        ]
        use(lease, 160)
        assert told(tenant, NOVEMBER) == [
            ("a", 50, 0, GrantState.USED),
            ("b", 10, 20, GrantState.LEFT),
        ]

    def test_what_the_keys_do_not_have_yet_says_so(self, tenant: Tenant, grant: Grant) -> None:
        grant(50, "a")
        assert told(tenant, NOVEMBER) == [("a", 0, 50, GrantState.APPLYING)]
        (row,) = selectors.grant_rows(tenant=tenant, now=NOVEMBER)
        assert (row.expires_at, row.period_end) == (MIDNIGHT, date(2026, 11, 30))


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


def pay_by_use(tenant: Tenant, now: datetime) -> UsagePlan:
    """Change to a plan without a limit, at once."""
    plan = UsagePlan(
        code="payg", name="Payg", rate_limit=1, burst_limit=1, quota_limit=10**9,
        is_prorated=False, is_unlimited=True, advance=0,
    )  # fmt: skip
    plan = services.usage_plan_save(usage_plan=plan, now=now)
    services.tenant_change_plan(tenant=tenant, usage_plan=plan, now=now)
    tenant.refresh_from_db()
    return plan


class TestGivingBack:
    def test_what_was_used_before_a_plan_without_a_limit_cannot_be_taken_back(
        self, lease: Lease, grant: Grant
    ) -> None:
        tenant = lease.entitlement.tenant
        grant(50, "used")
        grant(30, "unused")
        use(lease, 150)
        later = NOVEMBER + timedelta(days=1)
        pay_by_use(tenant, later)
        use(lease, 900, on=later.date() + timedelta(days=1))
        entitlement_ensure(tenant=tenant, now=later)
        assert [row[:3] for row in told(tenant, later)] == [("used", 50, 0), ("unused", 0, 30)]
        services.quota_grant_withdraw(source="unused", now=later)
        with pytest.raises(NotInThisState, match="used"):
            services.quota_grant_withdraw(source="used", now=later)
        assert services.grant_release(source="unused", now=later) is Release.UNKNOWN
        use(lease, 151)
        assert services.grant_release(source="unused", now=later) is Release.USED

    def test_it_counts_no_more_and_then_again(self, tenant: Tenant, grant: Grant) -> None:
        grant(50, "a")
        for _ in range(2):
            services.quota_grant_withdraw(source="a", now=NOVEMBER)
            assert Entitlement.objects.get().requests == 100
        assert told(tenant, NOVEMBER) == [("a", 0, 0, GrantState.WITHDRAWN)]
        for _ in range(2):
            services.quota_grant_restore(source="a", now=NOVEMBER)
            assert Entitlement.objects.get().requests == 150
        assert told(tenant, NOVEMBER) == [("a", 0, 50, GrantState.APPLYING)]

    def test_what_is_used_cannot_be_taken_back(self, lease: Lease, grant: Grant) -> None:
        grant(50, "a")
        use(lease, 101)
        with pytest.raises(NotInThisState, match="used"):
            services.quota_grant_withdraw(source="a", now=NOVEMBER)
        with pytest.raises(NotInThisState, match="over"):
            services.quota_grant_withdraw(source="a", now=MIDNIGHT)
        assert Entitlement.objects.get().requests == 150

    def test_it_is_certain_once_the_lease_is_smaller_and_a_later_figure_agrees(
        self, lease: Lease, grant: Grant, settings: LazySettings
    ) -> None:
        settings.USAGE_LAG_SECONDS, settings.USAGE_SETTLE_SECONDS = 45 * 60, 60 * 60
        grant(50, "a")
        Lease.objects.update(limit_requests=150, seen_used=90, seen_at=NOVEMBER)
        use(lease, 90)
        services.quota_grant_withdraw(source="a", now=NOVEMBER)

        def release(**changed: object) -> Release:
            Lease.objects.update(**changed)
            return services.grant_release(source="a", now=NOVEMBER + timedelta(hours=2))

        later = NOVEMBER + timedelta(minutes=10)
        assert release() is Release.UNKNOWN
        assert release(limit_requests=100, written_at=later) is Release.UNKNOWN
        assert release(seen_at=later + timedelta(minutes=59)) is Release.UNKNOWN
        assert release(seen_at=later + timedelta(minutes=60), pending_limit=150) is Release.UNKNOWN
        with pytest.raises(NotInThisState):
            services.quota_grant_return(source="a", now=NOVEMBER)
        assert release(pending_limit=None) is Release.UNUSED
        for _ in range(2):
            services.quota_grant_return(source="a", now=NOVEMBER)
        with pytest.raises(NotInThisState):
            services.quota_grant_restore(source="a", now=NOVEMBER)
        assert told(lease.entitlement.tenant, NOVEMBER) == [("a", 0, 0, GrantState.RETURNED)]

    def test_usage_above_the_rest_shows_that_it_was_used(self, lease: Lease, grant: Grant) -> None:
        grant(50, "a")
        services.quota_grant_withdraw(source="a", now=NOVEMBER)
        use(lease, 100)
        assert services.grant_release(source="a", now=NOVEMBER) is Release.UNKNOWN
        use(lease, 101)
        assert services.grant_release(source="a", now=NOVEMBER) is Release.USED

    @pytest.mark.parametrize(("used", "verdict"), [(100, Release.UNUSED), (101, Release.USED)])
    def test_the_settled_period_decides_where_nothing_was_certain_before(
        self, lease: Lease, grant: Grant, used: int, verdict: Release
    ) -> None:
        grant(50, "a", rolls=True)
        grant(30, "b", rolls=True)
        Lease.objects.update(limit_requests=180)
        services.quota_grant_withdraw(source="a", now=NOVEMBER)
        use(lease, used + 30)
        after = MIDNIGHT + timedelta(hours=3)
        assert services.grant_release(source="a", now=MIDNIGHT) in {Release.UNKNOWN, Release.USED}
        for hour in (1, 2):
            read(MIDNIGHT + timedelta(hours=hour))
        assert services.grant_release(source="a", now=after) is verdict
        # Nothing is closed before it is known whether the pack counts.
        assert not QuotaGrant.objects.filter(closed_at__isnull=False).exists()
        if verdict is Release.UNUSED:
            services.quota_grant_return(source="a", now=after)
        else:
            services.quota_grant_restore(source="a", now=after)
        read(after)
        rolled = sum(each.requests for each in QuotaGrant.objects.filter(kind=GrantKind.ROLL_OVER))
        assert rolled == (0 if verdict is Release.UNUSED else 49)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy rolling", "use", "give back", "release", "decide", "end"]),
        st.integers(1, 150),
    ),
    min_size=6,
    max_size=20,
)


class Months:
    """A tenant who does as it likes for some months, at a gateway that holds to its leases."""

    def __init__(self, lease: Lease, grant: Grant) -> None:
        self.lease, self.grant, self.now, self.count = lease, grant, NOVEMBER, 0

    @property
    def entitlement(self) -> Entitlement:
        return Entitlement.objects.get(pk=self.lease.entitlement_id)

    def used(self) -> int:
        day = UsageDay.objects.filter(day=self.now.date()).first()
        return day.used if day else 0

    def lease_is(self, limit: int) -> None:
        Lease.objects.filter(pk=self.lease.pk).update(limit_requests=limit, seen_at=self.now)
        self.lease.limit_requests = limit

    def take(self, step: str, number: int) -> None:
        self.now += timedelta(seconds=1)
        match step:
            case "buy" | "buy rolling":
                self.count += 1
                self.grant(number, f"{self.count}", rolls=step == "buy rolling", at=self.now)
                self.lease_is(self.lease.limit_requests + number)
            case "use":
                room = self.lease.limit_requests - self.used()
                if room > 0:
                    use(self.lease, self.used() + min(number, room), on=self.now.date())
            case "give back":
                sold = self.entitlement.grants.filter(kind=GrantKind.EXTENSION, closed_at=None)
                chosen = list(sold.filter(withdrawn_at=None))
                if chosen:
                    source = chosen[number % len(chosen)].source
                    with suppress(NotInThisState):
                        services.quota_grant_withdraw(source=source, now=self.now)
            case "release":
                self.lease_is(max(self.entitlement.requests, self.used()))
            case "decide":
                Lease.objects.filter(pk=self.lease.pk).update(seen_at=self.now)
                self.decide()
            case "end":
                self.end()

    def decide(self) -> None:
        for waiting in QuotaGrant.objects.filter(closed_at=None, withdrawn_at__isnull=False):
            match services.grant_release(source=waiting.source, now=self.now):
                case Release.UNUSED:
                    services.quota_grant_return(source=waiting.source, now=self.now)
                case Release.USED:
                    services.quota_grant_restore(source=waiting.source, now=self.now)
                    # What had not been released of it is leased still.
                    self.lease_is(max(self.lease.limit_requests, self.entitlement.requests))

    def end(self) -> None:
        """The month is over: read until it has settled, decide, close; then the next one runs."""
        before = self.lease
        end = datetime.combine(self.entitlement.period_end, datetime.min.time(), tzinfo=UTC)
        self.now = end
        for _ in range(4):
            self.now += timedelta(hours=1)
            read(self.now)
            self.decide()
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=before.entitlement.tenant_id)
            entitlement = entitlement_ensure(tenant=tenant, now=self.now)
        self.lease = Lease.objects.create(
            entitlement=entitlement, version=before.version, gateway_plan=before.gateway_plan,
            limit_requests=entitlement.requests, written_remaining=0, opened_at=end,
        )  # fmt: skip

    def check(self) -> None:
        for entitlement in Entitlement.objects.exclude(pk=self.lease.entitlement_id):
            grants = list(entitlement.grants.all())
            assert all(grant.closed_at for grant in grants)
            kept = [grant for grant in grants if grant.withdrawn_at is None]
            used = selectors.usage_total(
                tenant=entitlement.tenant,
                meter=Meter.REQUESTS,
                start=entitlement.period_start,
                end=entitlement.period_end,
            )
            if not grants:
                continue
            # Whoever got money back did not use what it was for.
            assert used <= 100 + sum(grant.requests for grant in kept)
            assert sum(grant.used_requests for grant in kept) == max(used - 100, 0)
            for grant in kept:
                left = grant.requests - grant.used_requests - grant.expired_requests
                into = QuotaGrant.objects.filter(source=f"rollover:{grant.pk}")
                assert [each.requests for each in into] == ([left] if left else [])
                assert not (left and grant.kind == GrantKind.ROLL_OVER)
            returned = [grant for grant in grants if grant.withdrawn_at is not None]
            assert all(not grant.used_requests for grant in returned)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(steps=[("buy", 50), ("give back", 1), ("decide", 1), ("use", 120)])
@given(steps=STEPS)
def test_no_request_is_given_twice_or_lost(
    lease: Lease, grant: Grant, steps: list[tuple[str, int]]
) -> None:
    """Whatever is bought, used, given back and rolled over is accounted for once."""
    with transaction.atomic():
        months = Months(Lease.objects.get(pk=lease.pk), grant)
        for step, number in steps:
            months.take(step, number)
        months.end()
        months.check()
        transaction.set_rollback(True)
