"""Keys, leases and the gateway, with real calls through the local AWS."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from tenants import gateway, selectors, services, tasks
from tenants.errors import NotInThisState
from tenants.models import (
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    GrantKind,
    Hold,
    HoldReason,
    KeySlot,
    Lease,
    OutboxEvent,
    QuotaGrant,
    Tenant,
    UsagePlan,
    User,
    VersionStatus,
)
from tenants.services import reconcile
from tests.conftest import Call, RunTasks
from tests.tenants.gateway_keys import only_version, passes, sync, value_of
from tests.tenants.reconciling.conftest import grant, settle

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]


class TestFirstKey:
    def test_a_new_tenants_key_works_and_stops_at_the_quota(
        self, tenant: Tenant, call: Call
    ) -> None:
        settle(tenant)
        version = only_version(tenant)
        assert version.status == VersionStatus.ACTIVE
        assert version.slot == KeySlot.PRIMARY
        assert tenant.reconcile_at is None
        assert OutboxEvent.objects.filter(kind="key.active").count() == 1
        assert passes(call, value_of(version), at_most=15) == 10
        sync()
        now = selectors.usage_now(tenant=tenant, now=timezone.now())
        assert (now.used_today, now.used_period, now.remaining) == (10, 10, 0)

    def test_nothing_is_written_where_the_fresh_counter_is_right(self, tenant: Tenant) -> None:
        settle(tenant)
        assert Lease.objects.get().written_at is None

    def test_a_prorated_tenant_gets_its_share_before_the_key_is_enabled(
        self, plan: UsagePlan, tenant: Tenant, call: Call
    ) -> None:
        services.quota_cap_set(tenant=tenant, requests=4, now=timezone.now())
        settle(tenant)
        assert passes(call, value_of(only_version(tenant)), at_most=15) == 4


class TestExtension:
    def test_neither_it_nor_a_new_key_waits_for_a_mirror_that_lags(
        self, tenant: Tenant, call: Call, settings: LazySettings
    ) -> None:
        settle(tenant)
        value = value_of(only_version(tenant))
        assert passes(call, value, at_most=15) == 10
        UsagePlan.objects.update(rate_limit=30)
        settings.BACKEND_STAGE = "gone"  # it is refused, as a method that does not exist would be
        grant(tenant, 7, "order:1")
        assert settle(tenant).reconcile_error == ""
        assert passes(call, value, at_most=15) == 7
        services.api_key_create(tenant=tenant, name="more", actor=None, now=timezone.now())
        assert settle(tenant).reconcile_error == ""
        states = ApiKeyVersion.objects.filter(api_key__tenant=tenant).values_list("status")
        assert set(states) == {(VersionStatus.ACTIVE,)}

    def test_a_buyer_who_ran_dry_gets_exactly_the_pack(self, tenant: Tenant, call: Call) -> None:
        settle(tenant)
        value = value_of(only_version(tenant))
        assert passes(call, value, at_most=15) == 10
        bought = grant(tenant, 7, "order:1")
        settle(tenant)
        assert passes(call, value, at_most=15) == 7
        bought.refresh_from_db()
        assert bought.applied_at is not None

    def test_the_same_order_twice_grants_once(self, tenant: Tenant, call: Call) -> None:
        settle(tenant)
        assert grant(tenant, 7, "order:1").pk == grant(tenant, 7, "order:1").pk
        settle(tenant)
        sync()
        settle(tenant)
        assert passes(call, value_of(only_version(tenant)), at_most=30) == 17

    def test_it_adds_up_for_a_buyer_in_the_middle(self, tenant: Tenant, call: Call) -> None:
        settle(tenant)
        value = value_of(only_version(tenant))
        assert passes(call, value, at_most=4) == 4
        sync()
        grant(tenant, 7, "order:1")
        settle(tenant)
        passed = passes(call, value, at_most=30)
        sync()
        settle(tenant)  # repays what the time since the first reading had held back
        assert passed + passes(call, value, at_most=30) == 13

    def test_an_extension_for_a_period_that_is_over_is_refused(self, tenant: Tenant) -> None:
        with pytest.raises(NotInThisState):
            services.quota_grant(
                tenant=tenant, requests=1, kind=GrantKind.EXTENSION, source="order:late",
                period_start=datetime(2020, 1, 1, tzinfo=UTC).date(), now=timezone.now(),
            )  # fmt: skip
        assert not QuotaGrant.objects.exists()


class TestPlanEdited:
    def test_a_larger_quota_is_for_the_tenants_that_are_there(
        self, tenant: Tenant, plan: UsagePlan, call: Call
    ) -> None:
        settle(tenant)
        value = value_of(only_version(tenant))
        used = passes(call, value, at_most=15)
        plan.quota_limit = 14
        services.usage_plan_save(usage_plan=plan, now=timezone.now())
        assert reconcile.tenants_due(now=timezone.now()) == [tenant.pk]
        settle(tenant)
        assert used + passes(call, value, at_most=15) == 14
        assert selectors.usage_now(tenant=tenant, now=timezone.now()).limit == 14


class TestStops:
    def test_a_revoked_key_is_refused(self, tenant: Tenant, call: Call) -> None:
        settle(tenant)
        version = only_version(tenant)
        value = value_of(version)
        assert call(value).status_code == 200
        services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
        assert not selectors.is_in_step(tenant=tenant, now=timezone.now())
        settle(tenant)
        assert call(value).status_code == 403
        # That it is removed in some days keeps nobody waiting.
        assert tenant.reconcile_at is not None
        assert selectors.is_in_step(tenant=tenant, now=timezone.now())

    def test_a_revocation_is_the_first_thing_that_workers_do(
        self, tenant: Tenant, call: Call, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_tasks()
        version = only_version(tenant)
        value = value_of(version)
        other = services.api_key_create(tenant=tenant, name="b", actor=None, now=timezone.now())
        owner = User.objects.get()
        for name in ("They", "sign", "up"):
            services.tenant_create(
                name=name, owner=owner, usage_plan=tenant.usage_plan, now=timezone.now()
            )
        tasks.usage_sync_all()
        assert call(value).status_code == 200
        services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
        called: list[tuple[str, int]] = []
        real = gateway._call

        def noted(operation: str, **parameters: object) -> dict[str, object]:
            answer = real(operation, **parameters)  # type: ignore[arg-type]
            called.append((operation, call(value).status_code))
            return answer

        monkeypatch.setattr(gateway, "_call", noted)
        names = run_tasks()
        assert called[0] == ("update_api_key", 403)
        assert {"tenants.tasks.tenant_reconcile", "tenants.tasks.usage_sync"} <= {*names}
        other.refresh_from_db()
        assert other.status == VersionStatus.ACTIVE

    def test_one_that_somebody_deleted_in_the_gateway_keeps_no_other_waiting(
        self, tenant: Tenant, call: Call
    ) -> None:
        settle(tenant)
        version = only_version(tenant)
        gateway._call("delete_api_key", apiKey=version.gateway_id)
        services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
        other = services.api_key_create(tenant=tenant, name="b", actor=None, now=timezone.now())
        assert settle(tenant).reconcile_error == ""
        sync()
        settle(tenant)
        assert passes(call, value_of(other), at_most=30) == 10

    def test_a_hold_stops_and_its_end_resumes(self, tenant: Tenant, call: Call) -> None:
        settle(tenant)
        value = value_of(only_version(tenant))
        services.hold_place(tenant=tenant, reason=HoldReason.OPERATOR, now=timezone.now())
        services.hold_place(tenant=tenant, reason=HoldReason.DUNNING, now=timezone.now())
        settle(tenant)
        assert call(value).status_code == 403
        services.hold_lift(tenant=tenant, reason=HoldReason.DUNNING, now=timezone.now())
        settle(tenant)
        assert call(value).status_code == 403
        services.hold_lift(tenant=tenant, reason=HoldReason.OPERATOR, now=timezone.now())
        settle(tenant)
        assert call(value).status_code == 200
        assert Hold.objects.filter(lifted_at=None).count() == 0


class TestSeveralKeys:
    def test_together_they_never_get_more_than_the_entitlement(
        self, tenant: Tenant, call: Call
    ) -> None:
        settle(tenant)
        sync()
        first = only_version(tenant)
        second = services.api_key_create(
            tenant=tenant, name="staging", actor=None, now=timezone.now()
        )
        settle(tenant)
        values = [value_of(first), value_of(second)]
        used = 0
        for _ in range(6):
            used += sum(passes(call, value, at_most=30) for value in values)
            sync()
            settle(tenant)
        assert used == 10

    def test_a_key_in_use_is_not_starved_and_nothing_is_written_where_nothing_moves(
        self, tenant: Tenant, plan: UsagePlan, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written: list[int] = []
        real = gateway.usage_set_remaining

        def noted(*, plan_id: str, key_id: str, remaining: int) -> None:
            written.append(remaining)
            real(plan_id=plan_id, key_id=key_id, remaining=remaining)

        monkeypatch.setattr(gateway, "usage_set_remaining", noted)
        plan.quota_limit = 100
        services.usage_plan_save(usage_plan=plan, now=timezone.now())
        settle(tenant)
        sync()
        busy = services.api_key_create(tenant=tenant, name="busy", actor=None, now=timezone.now())
        settle(tenant)
        value = value_of(busy)
        assert len(written) == 2  # half of it moved
        used, rounds = 0, [30, 10, 200, 200, 200]
        moves = []
        for at_most in rounds:
            before = len(written)
            used += passes(call, value, at_most=at_most)
            sync()
            settle(tenant)
            moves.append(len(written) - before)
        # None while it has some of its half left; then nearly all at once, and the last of it.
        assert moves[:2] == [0, 0]
        assert moves[2:4] == [2, 2]
        assert used == 100

    def test_rotating_hands_out_no_fresh_quota(self, tenant: Tenant, call: Call) -> None:
        settle(tenant)
        version = only_version(tenant)
        old = value_of(version)
        assert passes(call, old, at_most=6) == 6
        rotated = services.api_key_rotate(
            api_key=version.api_key, overlap=timedelta(0), actor=None, now=timezone.now()
        )
        settle(tenant)
        settle(tenant)
        assert call(old).status_code == 403
        assert passes(call, value_of(rotated), at_most=30) == 4

    def test_moving_to_another_plan_and_back_hands_out_no_fresh_quota(
        self, tenant: Tenant, plan: UsagePlan, call: Call
    ) -> None:
        other = services.usage_plan_save(
            usage_plan=UsagePlan(
                code="other", name="Other", rate_limit=20, burst_limit=5_000, quota_limit=12,
                is_prorated=False, advance=0,
            ),
            now=timezone.now(),
        )  # fmt: skip
        settle(tenant)
        value = value_of(only_version(tenant))
        used = passes(call, value, at_most=6)
        for target in (other, plan, other):
            services.tenant_change_plan(tenant=tenant, usage_plan=target, now=timezone.now())
            tenant.refresh_from_db()
            settle(tenant)
            used += passes(call, value, at_most=1)
        used += passes(call, value, at_most=30)
        assert used == 12


class TestFaults:
    """The worker dies before or after an outside call; what is left is finished, once."""

    CALLS = ("create_api_key", "create_usage_plan_key", "update_api_key", "create_usage_plan")

    @pytest.mark.parametrize("operation", CALLS)
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_sign_up_makes_one_key(
        self, tenant: Tenant, call: Call, operation: str, when: str, dies: Callable[..., None]
    ) -> None:
        dies(operation, when)
        with pytest.raises(KeyboardInterrupt):
            reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
        # The claim of the dead runs out.
        later = timezone.now() + timedelta(minutes=1)
        assert reconcile.tenants_due(now=later) == [tenant.pk]
        reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: later)
        version = only_version(tenant)
        assert version.status == VersionStatus.ACTIVE
        keys = gateway._call("get_api_keys", nameQuery=version.gateway_name)["items"]
        assert len(keys) == 1
        plans = gateway._call("get_usage_plans", limit=500)["items"]
        assert sum(str(m.uuid) in p["name"] for p in plans for m in GatewayPlan.objects.all()) == 2
        assert passes(call, value_of(version), at_most=15) == 10

    def test_a_key_revoked_before_its_creation_was_noted_leaves_no_orphan(
        self, tenant: Tenant, dies: Callable[..., None]
    ) -> None:
        dies("create_api_key", "after")
        with pytest.raises(KeyboardInterrupt):
            reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
        version = only_version(tenant)
        services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
        later = timezone.now() + timedelta(minutes=1)
        reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: later)
        assert gateway.api_key_find(name=version.gateway_name) is None
        reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: later)
        version.refresh_from_db()
        assert version.status == VersionStatus.DELETED

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("operation", ["delete_usage_plan_key", "create_usage_plan_key"])
    def test_a_move_that_broke_off_leads_back_or_on(
        self, tenant: Tenant, call: Call, operation: str, when: str, dies: Callable[..., None]
    ) -> None:
        settle(tenant)
        plan = tenant.usage_plan
        value = value_of(only_version(tenant))
        used = passes(call, value, at_most=6)
        others = [
            services.usage_plan_save(
                usage_plan=UsagePlan(
                    code=code, name="Other", rate_limit=20, burst_limit=5_000, quota_limit=12,
                    is_prorated=False, advance=0,
                ),
                now=timezone.now(),
            )
            for code in ("other", "another")
        ]  # fmt: skip
        at = timezone.now()
        for broken_off, wanted in ((others[0], others[1]), (plan, others[1])):
            services.tenant_change_plan(tenant=tenant, usage_plan=broken_off, now=at)
            dies(operation, when)
            with pytest.raises(KeyboardInterrupt):
                reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: at)  # noqa: B023
            services.tenant_change_plan(tenant=tenant, usage_plan=wanted, now=at)
            at += timedelta(minutes=1)  # the claim of the dead runs out
            reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: at)  # noqa: B023
            tenant.refresh_from_db()
            assert tenant.reconcile_error == ""
            used += passes(call, value, at_most=1)
        assert used == 8
        second = services.api_key_create(tenant=tenant, name="b", actor=None, now=at)
        values = [value]
        for _ in range(4):
            at += timedelta(minutes=1)
            reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: at)  # noqa: B023
            values[1:] = [value_of(second)]
            used += sum(passes(call, each, at_most=30) for each in reversed(values))
        assert used == Entitlement.objects.get().requests

    def test_a_stop_does_not_wait_for_what_fails(
        self, tenant: Tenant, plan: UsagePlan, call: Call, settings: LazySettings
    ) -> None:
        settle(tenant)
        version = only_version(tenant)
        value = value_of(version)
        UsagePlan.objects.update(quota_limit=20)  # the mirrors must be applied,
        settings.BACKEND_STAGE = "gone"  # and can no longer be
        services.api_key_create(tenant=tenant, name="more", actor=None, now=timezone.now())
        services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
        settle(tenant)
        assert "NotFound" in tenant.reconcile_error
        assert not selectors.is_in_step(tenant=tenant, now=timezone.now())
        assert call(value).status_code == 403

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_an_extension_counts_once(
        self, tenant: Tenant, call: Call, when: str, dies: Callable[..., None]
    ) -> None:
        settle(tenant)
        value = value_of(only_version(tenant))
        assert passes(call, value, at_most=15) == 10
        grant(tenant, 7, "order:1")
        dies("update_usage", when)
        with pytest.raises(KeyboardInterrupt):
            reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
        passed = passes(call, value, at_most=3)
        assert passed == (3 if when == "after" else 0)
        later = timezone.now() + timedelta(minutes=1)
        reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: later)
        assert passed + passes(call, value, at_most=30) == 7
