"""Packs bought after a key ended, while it is uncertain what the key used."""

from datetime import datetime, timedelta

import httpx
import pytest
from django.utils import timezone

from portal.local.aws.server import LocalAWS
from tenants import selectors, services
from tenants.models import (
    ApiKeyVersion,
    GrantKind,
    Lease,
    QuotaGrant,
    Tenant,
    UsagePlan,
    VersionStatus,
)
from tenants.services import reconcile
from tests.conftest import Call
from tests.tenants.gateway_keys import only_version, passes, value_of
from tests.tenants.keys.conftest import rotate, run

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]


def buy(tenant: Tenant, requests: int, now: datetime) -> QuotaGrant:
    return services.quota_grant(
        tenant=tenant, requests=requests, kind=GrantKind.EXTENSION, source="order:1",
        period_start=selectors.current_period(tenant=tenant, now=now).start, now=now,
    )  # fmt: skip


class TestBoughtAfterAKeyEnded:
    """A pack is at the gateway once it can be used, whatever is uncertain of what was used before
    it. More than there is to give passes all the same never."""

    def test_where_calls_may_come_between_reading_and_writing(
        self, tenant: Tenant, call: Call
    ) -> None:
        at = timezone.now()

        def clock() -> datetime:
            """Each look takes 100 ms: two more calls at the plan's rate."""
            nonlocal at
            at += timedelta(milliseconds=100)
            return at

        def work() -> None:
            assert reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=clock)

        work()
        value = value_of(only_version(tenant))
        other = services.api_key_create(tenant=tenant, name="b", actor=None, now=at)
        work()
        rotate(other.api_key, now=at)
        work()
        used = passes(call, value, at_most=1) + passes(call, value_of(other), at_most=1)
        services.api_key_overlap_end(api_key=other.api_key, actor=None, now=at)
        work()
        services.api_key_revoke(api_key=other.api_key, actor=None, now=at)
        work()
        bought = buy(tenant, 12, at)
        work()
        bought.refresh_from_db()
        held_back = Lease.objects.get(is_owed=True)  # by the same run that has written the pack
        assert held_back.version == only_active(tenant)
        assert bought.applied_at is not None
        passed = passes(call, value, at_most=50)
        assert 12 <= passed < 20 + 12 - used
        run(tenant, at + timedelta(seconds=10))  # it is dry now, which is exact
        assert used + passed + passes(call, value, at_most=50) == 20 + 12

    @pytest.mark.usefixtures("late")
    def test_where_what_it_used_is_told_late(
        self, tenant: Tenant, local_aws: LocalAWS, call: Call
    ) -> None:
        now = timezone.now()
        run(tenant, now)
        old = only_version(tenant)
        value = value_of(old)
        new = services.api_key_create(tenant=tenant, name="b", actor=None, now=now)
        run(tenant, now)
        used = passes(call, value, at_most=4)
        services.api_key_revoke(api_key=old.api_key, actor=None, now=now)
        run(tenant, now)
        # All of the plan's quota may be used by the key that is gone: the other has the advance.
        new_value = value_of(new)
        used += passes(call, new_value, at_most=50)
        assert used == 4 + 3
        bought = buy(tenant, 12, now)
        run(tenant, now)
        bought.refresh_from_db()
        assert bought.applied_at == now
        used += passes(call, new_value, at_most=50)
        assert used == 4 + 12  # the advance was lent of this
        # Once it is known, the rest of the plan's comes, and no more.
        later = now + timedelta(minutes=46)
        answer = httpx.post(f"{local_aws.url}/_sekisho/clock", json={"now": later.isoformat()})
        answer.raise_for_status()
        run(tenant, later)
        assert used + passes(call, new_value, at_most=50) == 20 + 12

    @pytest.mark.usefixtures("late")
    def test_not_where_it_goes_to_what_may_have_been_used(self, tenant: Tenant) -> None:
        now = timezone.now()
        run(tenant, now)
        plan = UsagePlan.objects.get()
        plan.quota_limit = 5
        services.usage_plan_save(usage_plan=plan, now=now)
        bought = buy(tenant, 4, now)
        run(tenant, now)
        bought.refresh_from_db()
        assert bought.applied_at is None  # the key was let have 20
        assert tenant.reconcile_at is not None

    def test_without_a_key_there_is_nothing_to_tell(self, tenant: Tenant) -> None:
        now = timezone.now()
        run(tenant, now)
        services.api_key_revoke(api_key=only_version(tenant).api_key, actor=None, now=now)
        run(tenant, now)
        bought = buy(tenant, 12, now)
        run(tenant, now)
        bought.refresh_from_db()
        assert bought.applied_at is not None

    def test_nor_where_there_never_was_one(self, tenant: Tenant) -> None:
        now = timezone.now()
        services.api_key_revoke(api_key=only_version(tenant).api_key, actor=None, now=now)
        bought = buy(tenant, 12, now)
        for _ in range(2):  # the key is detached, then deleted
            run(tenant, now)
        bought.refresh_from_db()
        assert bought.applied_at == now
        assert tenant.reconcile_at is None  # and nobody looks every few seconds

    def test_where_the_plan_gives_as_much_less(self, tenant: Tenant, call: Call) -> None:
        now = timezone.now()
        run(tenant, now)
        value = value_of(only_version(tenant))
        plan = UsagePlan.objects.get()
        plan.quota_limit = 15
        services.usage_plan_save(usage_plan=plan, now=now)
        bought = buy(tenant, 5, now)
        run(tenant, now)
        bought.refresh_from_db()
        assert bought.applied_at is not None
        used = passes(call, value, at_most=50)  # by itself the gateway knows of less alone
        run(tenant, now + timedelta(seconds=10))
        assert used + passes(call, value, at_most=50) == 15 + 5


def only_active(tenant: Tenant) -> ApiKeyVersion:
    return ApiKeyVersion.objects.get(api_key__tenant=tenant, status=VersionStatus.ACTIVE)
