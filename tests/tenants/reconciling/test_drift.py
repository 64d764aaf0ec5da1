"""What somebody changed at the gateway is found, put right or told, with real calls."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.local.aws.server import LocalAWS
from tenants import gateway, services
from tenants.models import (
    ApiKeyVersion,
    DriftKind,
    GatewayDrift,
    GatewayPlan,
    HoldReason,
    KeySlot,
    Tenant,
    UsageDay,
    UsagePlan,
    VersionStatus,
)
from tenants.services import claims, drift, mirrors
from tests.conftest import Call, RunTasks
from tests.tenants.gateway_keys import only_version, passes, sync, value_of, value_of_any
from tests.tenants.reconciling.conftest import settle

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]


def compare() -> None:
    drift.gateway_compare(clock=timezone.now)


def standing() -> list[DriftKind]:
    kinds = GatewayDrift.objects.filter(ended_at=None).order_by("kind")
    return [DriftKind(each.kind) for each in kinds]


def switch(version: ApiKeyVersion, *, on: bool) -> None:
    """Do what the console's button does."""
    gateway.api_key_set_enabled(key_id=version.gateway_id, is_enabled=on)


def leave_plan(version: ApiKeyVersion) -> None:
    assert version.gateway_plan is not None
    gateway.api_key_detach(plan_id=version.gateway_plan.gateway_id, key_id=version.gateway_id)


def used_in_all() -> int:
    return sum(UsageDay.objects.values_list("used", flat=True))


def primary(plan: UsagePlan) -> GatewayPlan:
    return plan.mirrors.get(slot=KeySlot.PRIMARY)


@pytest.fixture
def version(tenant: Tenant) -> ApiKeyVersion:
    """A key that works, of a tenant who has 10 requests."""
    settle(tenant)
    return only_version(tenant)


def test_where_nothing_differs_nothing_is_found_and_nobody_is_asked_to_work(
    tenant: Tenant, version: ApiKeyVersion
) -> None:
    services.api_key_create(tenant=tenant, name="b", actor=None, now=timezone.now())
    settle(tenant)
    compare()
    assert standing() == []
    tenant.refresh_from_db()
    assert tenant.reconcile_at is None


class TestSwitched:
    def test_a_revoked_key_that_was_enabled_is_disabled(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call
    ) -> None:
        value = value_of(version)
        services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
        settle(tenant)
        switch(version, on=True)
        assert call(value).status_code == 200
        compare()
        assert call(value).status_code == 403
        assert standing() == [DriftKind.KEY_ENABLED]
        settle(tenant)
        compare()
        assert standing() == []
        assert GatewayDrift.objects.get().ended_at is not None

    def test_one_that_was_held_is_stopped_and_its_calls_count(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call
    ) -> None:
        value = value_of(version)
        services.hold_place(tenant=tenant, reason=HoldReason.DUNNING, now=timezone.now())
        settle(tenant)
        switch(version, on=True)
        assert passes(call, value, at_most=4) == 4
        compare()
        assert call(value).status_code == 403
        services.hold_lift(tenant=tenant, reason=HoldReason.DUNNING, now=timezone.now())
        settle(tenant)
        assert passes(call, value, at_most=30) == 6

    def test_one_that_was_disabled_works_again(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call
    ) -> None:
        value = value_of(version)
        switch(version, on=False)
        assert call(value).status_code == 403
        compare()
        assert standing() == [DriftKind.KEY_DISABLED]
        settle(tenant)
        assert passes(call, value, at_most=30) == 10

    def test_one_that_was_never_enabled_is_not_taken_for_unused(
        self, tenant: Tenant, call: Call, late: LocalAWS
    ) -> None:
        """Or another key would have what it has not used, while nobody knows that it has."""
        services.hold_place(tenant=tenant, reason=HoldReason.OPERATOR, now=timezone.now())
        settle(tenant)
        first = only_version(tenant)
        switch(first, on=True)
        assert passes(call, value_of(first), at_most=30) == 10
        compare()
        services.hold_lift(tenant=tenant, reason=HoldReason.OPERATOR, now=timezone.now())
        second = services.api_key_create(tenant=tenant, name="b", actor=None, now=timezone.now())
        settle(tenant)
        assert passes_if_open(call, value_of(second)) <= tenant.usage_plan.advance_requests


def passes_if_open(call: Call, value: str) -> int:
    first = call(value).status_code
    return 1 + passes(call, value, at_most=30) if first == 200 else 0


class TestMoved:
    def test_a_key_taken_out_of_its_plan_is_put_back_with_what_it_had(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call
    ) -> None:
        value = value_of(version)
        assert passes(call, value, at_most=4) == 4
        leave_plan(version)
        assert call(value).status_code == 403
        sync()
        compare()
        assert standing() == [DriftKind.KEY_MOVED]
        settle(tenant)
        assert passes(call, value, at_most=30) == 6
        compare()
        assert standing() == []

    def test_with_figures_late_it_gets_no_more_either(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call, late: LocalAWS
    ) -> None:
        value = value_of(version)
        assert passes(call, value, at_most=7) == 7
        leave_plan(version)
        compare()
        settle(tenant)
        assert passes_if_open(call, value) <= 3 + tenant.usage_plan.advance_requests

    def test_from_another_plan_of_ours_it_comes_back(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call
    ) -> None:
        leave_plan(version)
        mirrors.mirrors_apply(usage_plan=tenant.usage_plan, now=timezone.now())
        other = tenant.usage_plan.mirrors.get(slot=KeySlot.SECONDARY)
        gateway.api_key_attach(plan_id=other.gateway_id, key_id=version.gateway_id)
        compare()
        settle(tenant)
        version.refresh_from_db()
        assert version.gateway_plan == primary(tenant.usage_plan)
        assert gateway.usage_plans_of(key_id=version.gateway_id) == [
            primary(tenant.usage_plan).gateway_id
        ]
        assert passes(call, value_of(version), at_most=30) == 10


class TestGone:
    def test_a_key_that_was_deleted_works_again_with_its_value_and_what_it_had(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call
    ) -> None:
        value = value_of(version)
        assert passes(call, value, at_most=4) == 4
        sync()
        gateway.api_key_delete(key_id=version.gateway_id)
        assert call(value).status_code == 403
        compare()
        assert standing() == [DriftKind.KEY_GONE]
        settle(tenant)
        version.refresh_from_db()
        assert version.status == VersionStatus.ACTIVE
        passed = 4
        for _ in range(3):  # what it counts now comes on top of what was counted
            passed += passes(call, value, at_most=30)
            sync()
            settle(tenant)
            assert used_in_all() == passed
        assert passed == 10
        compare()
        assert standing() == []

    def test_with_figures_late_it_gets_no_more_than_the_advance_besides(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call, late: LocalAWS
    ) -> None:
        value = value_of(version)
        assert passes(call, value, at_most=7) == 7
        gateway.api_key_delete(key_id=version.gateway_id)
        compare()
        settle(tenant)
        assert passes_if_open(call, value) <= 3 + tenant.usage_plan.advance_requests

    def test_nobody_waits_an_hour_for_it(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call, run_tasks: RunTasks
    ) -> None:
        """That the gateway does not find it has it looked at, and the other keys wait no longer."""
        sync()
        gateway.api_key_delete(key_id=version.gateway_id)
        services.quota_cap_set(tenant=tenant, requests=5, now=timezone.now())
        other = services.api_key_create(tenant=tenant, name="b", actor=None, now=timezone.now())
        run_tasks()
        passed = 0
        for _ in range(3):
            sync()
            assert settle(tenant).reconcile_error == ""
            for key in (version, other):
                passed += passes_if_open(call, value_of(key))
        assert passed == 5

    def test_an_old_value_comes_back_until_its_end(
        self, tenant: Tenant, version: ApiKeyVersion, call: Call
    ) -> None:
        services.api_key_rotate(
            api_key=version.api_key, overlap=timedelta(days=1), actor=None, now=timezone.now()
        )
        settle(tenant)
        gateway.api_key_delete(key_id=version.gateway_id)
        sync()
        compare()
        settle(tenant)
        version.refresh_from_db()
        assert (version.status, version.is_enabled) == (VersionStatus.RETIRING, True)
        assert call(value_of_any(version)).status_code == 200

    def test_a_revoked_one_may_be_gone(self, tenant: Tenant, version: ApiKeyVersion) -> None:
        services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
        settle(tenant)
        gateway.api_key_delete(key_id=version.gateway_id)
        compare()
        assert standing() == []

    def test_in_another_account_nothing_is_believed_to_be_gone(
        self, plan: UsagePlan, tenant: Tenant, version: ApiKeyVersion
    ) -> None:
        """None of our plans is there: who lists keys there would take all of them for deleted."""
        for number, mirror in enumerate(plan.mirrors.all()):
            mirror.gateway_id = f"elsewhere{number}"
            mirror.save(update_fields=["gateway_id"])
        ApiKeyVersion.objects.update(gateway_id="elsewhere")
        compare()
        drift.keys_compare(tenant_id=tenant.pk, clock=timezone.now)
        version.refresh_from_db()
        assert (version.status, version.is_enabled) == (VersionStatus.ACTIVE, True)
        assert standing() == [DriftKind.PLAN_GONE, DriftKind.PLAN_GONE]


class TestPlans:
    @pytest.mark.parametrize(
        "patch",
        [
            {"op": "replace", "path": "/throttle/rateLimit", "value": "7000"},
            {"op": "replace", "path": "/quota/limit", "value": "1000000"},
            {"op": "remove", "path": "/apiStages", "value": "stage"},
        ],
        ids=["throttle", "quota", "stage"],
    )
    def test_one_that_was_changed_is_changed_back(
        self, plan: UsagePlan, version: ApiKeyVersion, patch: dict[str, str]
    ) -> None:
        mirror = primary(plan)
        before = gateway.usage_plan_find(name=mirror.gateway_name)
        if patch["value"] == "stage":
            patch = {**patch, "value": mirror.applied_stages}
        gateway._call("update_usage_plan", usagePlanId=mirror.gateway_id, patchOperations=[patch])
        compare()
        assert standing() == [DriftKind.PLAN_CHANGED]
        mirror.refresh_from_db()
        assert mirror.fastest_rate == (7000 if "throttle" in patch["path"] else plan.rate_limit)
        mirrors.mirrors_sweep(clock=timezone.now)
        assert gateway.usage_plan_find(name=mirror.gateway_name) == before
        compare()
        assert standing() == []

    def test_a_key_that_is_not_ours_is_listed(
        self, plan: UsagePlan, version: ApiKeyVersion
    ) -> None:
        stranger = gateway.api_key_create(name="by hand", value="of-somebody-by-hand-0123456789")
        gateway.api_key_attach(plan_id=primary(plan).gateway_id, key_id=stranger)
        with pytest.raises(CommandError, match="gateway: 1"):
            call_command("compare_gateway")
        found = GatewayDrift.objects.get()
        assert (found.kind, found.gateway_id) == (DriftKind.KEY_UNKNOWN, stranger)
        gateway.api_key_delete(key_id=stranger)
        call_command("compare_gateway")
        assert standing() == []

    def test_one_that_was_deleted_is_made_again_with_its_keys_and_forgets_no_usage(
        self, plan: UsagePlan, tenant: Tenant, version: ApiKeyVersion, call: Call
    ) -> None:
        value = value_of(version)
        assert passes(call, value, at_most=6) == 6
        sync()
        mirror = primary(plan)
        close = {"op": "remove", "path": "/apiStages", "value": mirror.applied_stages}
        gateway._call("update_usage_plan", usagePlanId=mirror.gateway_id, patchOperations=[close])
        gateway._call("delete_usage_plan", usagePlanId=mirror.gateway_id)
        compare()
        assert standing() == [DriftKind.PLAN_GONE]
        services.usage_plan_save(usage_plan=plan, now=timezone.now())
        mirrors.mirrors_apply(usage_plan=plan, now=timezone.now())
        compare()
        assert standing() == [DriftKind.KEY_MOVED]
        settle(tenant)
        passed = passes_if_open(call, value)
        sync()
        assert used_in_all() == 6 + passed
        settle(tenant)
        passed += passes_if_open(call, value)
        assert passed == 4


class TestDisturbed:
    def test_who_is_being_worked_on_is_left_alone(
        self, tenant: Tenant, version: ApiKeyVersion
    ) -> None:
        switch(version, on=False)
        assert claims.claim_take(tenant_id=tenant.pk, now=timezone.now())
        compare()
        version.refresh_from_db()
        assert version.is_enabled is True
        assert standing() == []

    def test_what_a_worker_did_since_the_listing_is_no_difference(
        self, tenant: Tenant, version: ApiKeyVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real: Callable[..., Any] = gateway.api_keys

        def then_revoked(**parameters: Any) -> list[gateway.KeyState]:
            listed = list(real(**parameters))
            services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
            settle(tenant)
            return listed

        monkeypatch.setattr(gateway, "api_keys", then_revoked)
        compare()
        assert standing() == []

    def test_who_is_revoked_while_their_deleted_key_is_looked_at_stays_so(
        self, tenant: Tenant, version: ApiKeyVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gateway.api_key_delete(key_id=version.gateway_id)
        real = gateway.usage_read

        def revoked_meanwhile(**parameters: Any) -> Any:
            services.api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
            return real(**parameters)

        monkeypatch.setattr(gateway, "usage_read", revoked_meanwhile)
        compare()
        monkeypatch.undo()
        assert settle(tenant).reconcile_error == ""
        version.refresh_from_db()
        assert version.status == VersionStatus.REVOKED
        assert gateway.api_key_find(name=version.gateway_name) is None

    @pytest.mark.parametrize("operation", ["get_api_key", "update_api_key"])
    def test_who_dies_in_it_leaves_it_to_the_next_one(
        self,
        tenant: Tenant,
        version: ApiKeyVersion,
        call: Call,
        dies: Callable[[str, str], None],
        operation: str,
    ) -> None:
        value = value_of(version)
        services.hold_place(tenant=tenant, reason=HoldReason.OPERATOR, now=timezone.now())
        settle(tenant)
        switch(version, on=True)
        dies(operation, "before")
        with pytest.raises(KeyboardInterrupt):
            compare()
        compare()
        settle(tenant)
        assert call(value).status_code == 403

    def test_a_gateway_that_is_away_ends_no_difference(
        self, version: ApiKeyVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch(version, on=False)
        compare()

        def away(**_: Any) -> httpx.Response:
            raise gateway.GatewayUnavailable("get_usage_plans: no answer")

        monkeypatch.setattr(gateway, "usage_plans", away)
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("compare_gateway")
        assert standing() == [DriftKind.KEY_DISABLED]
