"""What the services write and refuse. No gateway here: that follows by the reconciler."""

from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from tenants import key_values, selectors, services, tasks
from tenants.errors import NotInThisState, Refused
from tenants.models import (
    ApiKeyVersion,
    AuditEntry,
    GatewayPlan,
    GrantKind,
    KeySlot,
    Meter,
    OutboxEvent,
    PlanSpan,
    Tenant,
    UsageDay,
    UsagePlan,
    User,
    VersionStatus,
)
from tenants.services import mirrors, outbox
from tests.cast import Cast
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db


def test_a_mirror_that_fails_stops_no_other(cast: Cast) -> None:
    once = [RuntimeError("boom"), mock.DEFAULT]
    with mock.patch.object(mirrors, "mirror_apply", side_effect=once) as apply:
        tasks.mirrors_sweep()
    assert apply.call_count == GatewayPlan.objects.count() == 2


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("owner@example.org", "a long password")


@pytest.fixture
def plan() -> UsagePlan:
    plan = UsagePlan(code="p", name="P", rate_limit=10, burst_limit=20, quota_limit=100)
    return services.usage_plan_save(usage_plan=plan, now=timezone.now())


@pytest.fixture
def tenant(owner: User, plan: UsagePlan) -> Tenant:
    return services.tenant_create(
        name="  Alice   Corp ", owner=owner, usage_plan=plan, now=timezone.now()
    )


def version_of(tenant: Tenant) -> ApiKeyVersion:
    return ApiKeyVersion.objects.filter(api_key__tenant=tenant).latest("pk")


class TestSignUp:
    def test_writes_everything_that_the_gateway_will_need(self, tenant: Tenant) -> None:
        tenant.refresh_from_db()
        assert tenant.name == "Alice Corp"
        assert tenant.reconcile_at is not None
        version = version_of(tenant)
        assert (version.status, version.slot) == (VersionStatus.PENDING, KeySlot.PRIMARY)
        assert PlanSpan.objects.get(tenant=tenant).ends_on is None

    def test_two_organisations_may_have_one_name(
        self, tenant: Tenant, owner: User, plan: UsagePlan
    ) -> None:
        other = services.tenant_create(
            name=tenant.name, owner=owner, usage_plan=plan, now=timezone.now()
        )
        assert other.uuid != tenant.uuid

    def test_a_name_of_blanks_is_refused_and_nothing_is_left(
        self, owner: User, plan: UsagePlan
    ) -> None:
        with pytest.raises(Refused, match="name"):
            services.tenant_create(name=" \n", owner=owner, usage_plan=plan, now=timezone.now())
        assert not Tenant.objects.exists()


class TestKeyValue:
    def test_is_shown_once(self, tenant: Tenant) -> None:
        version = version_of(tenant)
        value = services.api_key_value_reveal(version=version, now=timezone.now())
        assert value is not None
        assert 20 <= len(value) <= 128
        assert value.isalnum()
        assert value.endswith(version.last_four)
        assert services.api_key_value_reveal(version=version, now=timezone.now()) is None

    def test_is_nowhere_in_the_database(self, tenant: Tenant) -> None:
        version = version_of(tenant)
        value = services.api_key_value_reveal(version=version, now=timezone.now())
        assert value is not None
        for model in (ApiKeyVersion, AuditEntry, OutboxEvent, Tenant):
            for row in model.objects.values():
                assert value not in str(row)

    def test_depends_on_the_secret(self, tenant: Tenant) -> None:
        uuid = version_of(tenant).uuid
        assert key_values.derive(uuid, secret="a") != key_values.derive(uuid, secret="b")
        assert key_values.derive(uuid, secret="a") == key_values.derive(uuid, secret="a")


class TestKeys:
    def test_a_second_key_is_secondary(self, tenant: Tenant, owner: User) -> None:
        version = services.api_key_create(
            tenant=tenant, name="staging", actor=owner, now=timezone.now()
        )
        assert version.slot == KeySlot.SECONDARY

    @pytest.mark.parametrize("name", ["", "  ", "x" * 61, "default", " default "])
    def test_a_bad_or_taken_name_is_refused(self, tenant: Tenant, name: str) -> None:
        with pytest.raises(Refused):
            services.api_key_create(tenant=tenant, name=name, actor=None, now=timezone.now())

    def test_the_plan_says_how_many_and_a_smaller_one_takes_none_away(
        self, tenant: Tenant, plan: UsagePlan
    ) -> None:
        def add(name: str) -> None:
            services.api_key_create(tenant=tenant, name=name, actor=None, now=timezone.now())

        plan.most_keys = 3
        services.usage_plan_save(usage_plan=plan, now=timezone.now())
        add("two")
        add("three")
        with pytest.raises(Refused, match="Your plan has 3 keys: revoke one first, or change"):
            add("four")
        smaller = UsagePlan(
            code="s", name="S", rate_limit=1, burst_limit=1, quota_limit=10, most_keys=1
        )
        services.usage_plan_save(usage_plan=smaller, now=timezone.now())
        services.tenant_change_plan(tenant=tenant, usage_plan=smaller, now=timezone.now())
        keys = list(selectors.api_keys(tenant=tenant))
        assert [key.name for key in keys] == ["default", "two", "three"]
        for key in keys[:2]:
            services.api_key_revoke(api_key=key, actor=None, now=timezone.now())
            with pytest.raises(Refused, match="Your plan has 1 key: revoke it first"):
                add("four")
        services.api_key_revoke(api_key=keys[2], actor=None, now=timezone.now())
        add("four")

    def test_the_name_is_free_again_after_revocation(self, tenant: Tenant) -> None:
        key = version_of(tenant).api_key
        services.api_key_revoke(api_key=key, actor=None, now=timezone.now())
        services.api_key_revoke(api_key=key, actor=None, now=timezone.now())
        assert OutboxEvent.objects.filter(kind="key.revoked").count() == 1
        services.api_key_create(tenant=tenant, name="default", actor=None, now=timezone.now())

    def test_a_revoked_key_does_not_rotate(self, tenant: Tenant) -> None:
        key = version_of(tenant).api_key
        services.api_key_revoke(api_key=key, actor=None, now=timezone.now())
        with pytest.raises(NotInThisState):
            services.api_key_rotate(
                api_key=key, overlap=timedelta(0), actor=None, now=timezone.now()
            )


class TestUsagePlans:
    def test_has_two_mirrors(self, plan: UsagePlan) -> None:
        primary, secondary = GatewayPlan.objects.filter(usage_plan=plan).order_by("slot")
        assert (primary.quota_limit, secondary.quota_limit) == (100, 1)
        assert primary.gateway_name != secondary.gateway_name


class TestUsageRecord:
    def test_counts_each_key_once(self, tenant: Tenant) -> None:
        today = timezone.now().date()
        for key in ("a", "b", "a"):
            services.usage_record(
                tenant=tenant, meter=Meter.CONVERSIONS, key=key, day=today, now=timezone.now()
            )
        assert UsageDay.objects.get(meter=Meter.CONVERSIONS).used == 2
        assert (
            selectors.usage_total(
                tenant=tenant, meter=Meter.CONVERSIONS, start=today, end=timezone.now().date()
            )
            == 0
        )  # the end is not included


class TestOutbox:
    def test_what_the_broker_did_not_take_waits(self, tenant: Tenant) -> None:
        services.outbox_publish(kind="a", tenant=tenant, now=timezone.now())
        services.outbox_publish(kind="b", tenant=tenant, now=timezone.now())
        sent: list[str] = []
        is_away = True

        def send(task: str, event: OutboxEvent) -> None:
            if event.kind == "b" and is_away:
                raise ConnectionError
            sent.append(task)

        receivers = {"a": ["x", "y"], "b": ["z"]}
        with pytest.raises(ConnectionError):
            outbox.outbox_relay(receivers=receivers, send=send, now=timezone.now())
        is_away = False
        outbox.outbox_relay(receivers=receivers, send=send, now=timezone.now())
        assert sent == ["x", "y", "z"]
        outbox.outbox_relay(receivers=receivers, send=send, now=timezone.now())
        assert sent == ["x", "y", "z"]

    def test_a_run_that_does_not_see_the_end_is_followed_by_another(
        self, cast: Cast, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "BATCH", 2)
        news = [(cast.alice_corp.pk, {"number": number}) for number in range(5)]
        outbox.outbox_publish_all(kind="nobody hears of it", about=news, now=timezone.now())
        assert run_tasks("default") == ["portal.tasks.outbox_relay"] * 3
        assert not OutboxEvent.objects.filter(relayed_at=None).exists()


class TestDays:
    def test_what_remained_counts_a_pack_from_its_purchase(self, tenant: Tenant) -> None:
        now = timezone.now().replace(day=15)
        start = now.date().replace(day=1)
        services.quota_grant(
            tenant=tenant, requests=50, kind=GrantKind.EXTENSION, source="order:1",
            period_start=start, now=now,
        )  # fmt: skip
        end = now.date()
        rows = selectors.usage_days(tenant=tenant, start=start, end=end, now=now)
        limit = selectors.current_entitlement(tenant=tenant, now=now).requests
        assert [row.remaining for row in rows] == [limit - 50] * 14 + [limit]
