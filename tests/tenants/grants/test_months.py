"""Months of buying, using and giving back at random: every request is accounted for once."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tenants import selectors, services
from tenants.errors import NotInThisState
from tenants.models import Entitlement, GrantKind, Lease, Meter, QuotaGrant, Tenant, UsageDay
from tenants.services import Release
from tenants.services.quota import entitlement_ensure
from tests.tenants.grants.conftest import NOVEMBER, Grant, read, use

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
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
