"""Grants that are given back: what was used is not, and what is uncertain waits."""

from datetime import timedelta

import pytest
from django.conf import LazySettings

from tenants import services
from tenants.errors import NotInThisState
from tenants.models import Entitlement, GrantKind, Lease, QuotaGrant, Tenant
from tenants.selectors import GrantState
from tenants.services import Release
from tenants.services.quota import entitlement_ensure
from tests.tenants.grants.conftest import MIDNIGHT, NOVEMBER, Grant, pay_by_use, read, told, use

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


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
