"""Rotation with overlap, with real calls: both values work until the old one retires."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tenants import gateway, selectors, services
from tenants.errors import Refused
from tenants.models import (
    ApiKey,
    ApiKeyVersion,
    AuditEntry,
    HoldReason,
    KeySlot,
    OutboxEvent,
    Tenant,
    UsageDay,
    UsagePlan,
    VersionStatus,
)
from tenants.services import key_ends, reconcile
from tests.billing.races import at_once
from tests.conftest import Call
from tests.tenants.gateway_keys import only_version, passes, sync, value_of, value_of_any
from tests.tenants.keys.conftest import DAY, refuse, rotate, run, standing

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]


class TestOverlap:
    def test_both_values_work_and_share_one_quota_until_the_old_one_retires(
        self, tenant: Tenant, call: Call
    ) -> None:
        run(tenant)
        old = only_version(tenant)
        key, old_value = old.api_key, value_of(old)
        assert passes(call, old_value, at_most=4) == 4
        sync()
        now = timezone.now()
        new = rotate(key, now=now)
        run(tenant)
        new_value = value_of(new)
        used = 4
        for value in (old_value, new_value, old_value):
            assert call(value).status_code == 200
            used += 1
        # It is due again when the old value retires, and not before.
        assert tenant.reconcile_at == now + DAY
        run(tenant, now + DAY - timedelta(seconds=1))
        assert call(old_value).status_code == 200
        used += 1
        for minutes in (60, 61):  # late, and twice
            run(tenant, now + DAY + timedelta(minutes=minutes))
        assert call(old_value).status_code == 403
        assert standing(key) == [VersionStatus.REVOKED, VersionStatus.ACTIVE]
        assert OutboxEvent.objects.filter(kind="key.revoked").count() == 1
        ended = AuditEntry.objects.get(action="api_key.overlap_ended")
        assert (ended.actor, ended.target) == (None, "default")
        sync()
        used += passes(call, new_value, at_most=30)
        assert used == 20  # nothing of the old value's is lost, nothing is given twice
        # To the tenant it was one key all along.
        sync()
        today = timezone.now().date()
        (day,) = selectors.usage_days(
            tenant=tenant, start=today, end=today, api_key=key, now=timezone.now()
        )
        assert day.used == 20
        assert UsageDay.objects.filter(day=today, used__gt=0).count() == 2

    def test_the_successor_is_promoted_and_a_retiring_value_never_is(self, tenant: Tenant) -> None:
        run(tenant)
        first = only_version(tenant)
        now = timezone.now()
        second = services.api_key_create(tenant=tenant, name="other", actor=None, now=now)
        run(tenant)
        services.api_key_revoke(api_key=first.api_key, actor=None, now=now)
        successor = rotate(second.api_key, overlap=timedelta(days=7), now=now)
        assert successor.slot == KeySlot.SECONDARY
        run(tenant, now)
        buried = now + reconcile.DETACH_AFTER + timedelta(minutes=1)
        run(tenant, buried)
        run(tenant, buried)
        for version, slot in ((second, KeySlot.SECONDARY), (successor, KeySlot.PRIMARY)):
            version.refresh_from_db()
            assert (version.slot, version.is_enabled) == (slot, True)
            assert version.gateway_plan is not None
            assert version.gateway_plan.slot == slot

    def test_a_worker_that_dies_before_it_disables_is_made_good(
        self, tenant: Tenant, call: Call, dies: Callable[[str, str], None]
    ) -> None:
        run(tenant)
        old = only_version(tenant)
        now = timezone.now()
        rotate(old.api_key, now=now)
        run(tenant)
        dies("update_api_key", "before")
        with pytest.raises(KeyboardInterrupt):
            run(tenant, now + DAY)
        assert call(value_of_any(old)).status_code == 200
        later = now + DAY + timedelta(minutes=1)  # the claim of the dead runs out
        assert reconcile.tenants_due(now=later) == [tenant.pk]
        run(tenant, later)
        assert call(value_of_any(old)).status_code == 403
        assert AuditEntry.objects.filter(action="api_key.overlap_ended").count() == 1

    def test_ended_now(self, tenant: Tenant, call: Call) -> None:
        run(tenant)
        old = only_version(tenant)
        new = rotate(old.api_key)
        run(tenant)
        for _ in range(2):
            services.api_key_overlap_end(api_key=old.api_key, actor=None, now=timezone.now())
        run(tenant)
        assert call(value_of_any(old)).status_code == 403
        assert call(value_of(new)).status_code == 200
        assert AuditEntry.objects.filter(action="api_key.overlap_ended").count() == 1

    def test_it_does_not_end_by_itself_before_the_new_value_works(
        self, tenant: Tenant, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(tenant)
        old = only_version(tenant)
        key, now = old.api_key, timezone.now()
        later = now + timedelta(hours=2)
        rotate(key, overlap=timedelta(hours=1), now=now)
        with monkeypatch.context() as patch:
            patch.setattr(gateway, "api_key_create", refuse)
            run(tenant, now)
            run(tenant, later)
        assert standing(key) == [VersionStatus.RETIRING, VersionStatus.FAILED]
        assert call(value_of(old)).status_code == 200
        assert tenant.reconcile_at is None
        services.api_key_retry(api_key=key, actor=None, now=later)
        run(tenant, later)
        assert standing(key) == [VersionStatus.RETIRING, VersionStatus.ACTIVE]
        assert reconcile.tenants_due(now=later) == [tenant.pk]
        run(tenant, later)
        assert standing(key) == [VersionStatus.REVOKED, VersionStatus.ACTIVE]
        # What was replaced is not tried again.
        ApiKeyVersion.objects.filter(pk=old.pk).update(status=VersionStatus.FAILED)
        services.api_key_retry(api_key=key, actor=None, now=later)
        assert standing(key) == [VersionStatus.FAILED, VersionStatus.ACTIVE]

    def test_of_several_old_values_the_newest_that_works_is_kept(self, tenant: Tenant) -> None:
        run(tenant)
        key = only_version(tenant).api_key
        now = timezone.now()
        rotate(key, now=now)
        # The new value is not in the gateway yet: without the old one nothing would work.
        rotate(key, now=now, overlap=timedelta(hours=1))
        assert standing(key) == [
            VersionStatus.RETIRING, VersionStatus.REVOKED, VersionStatus.PENDING,
        ]  # fmt: skip
        assert key.versions.earliest("id").retires_at == now + timedelta(hours=1)
        run(tenant)
        rotate(key, now=now)
        assert standing(key) == [
            VersionStatus.REVOKED, VersionStatus.REVOKED, VersionStatus.RETIRING,
            VersionStatus.PENDING,
        ]  # fmt: skip
        rotate(key, now=now, overlap=timedelta(0))
        assert set(standing(key)[:-1]) == {VersionStatus.REVOKED}

    def test_what_is_over_is_not_enabled_again_when_a_hold_is_lifted(
        self, tenant: Tenant, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(tenant)
        old = only_version(tenant)
        now = timezone.now()
        rotate(old.api_key, now=now)
        run(tenant)
        services.hold_place(tenant=tenant, reason=HoldReason.OPERATOR, now=now)
        run(tenant)
        later = now + DAY + timedelta(minutes=1)
        services.hold_lift(tenant=tenant, reason=HoldReason.OPERATOR, now=later)
        enabled: list[str] = []
        real = gateway.api_key_set_enabled

        def noted(*, key_id: str, is_enabled: bool) -> None:
            enabled.extend([key_id] * is_enabled)
            real(key_id=key_id, is_enabled=is_enabled)

        monkeypatch.setattr(gateway, "api_key_set_enabled", noted)
        run(tenant, later)
        old.refresh_from_db()
        assert enabled
        assert old.gateway_id not in enabled
        assert call(value_of_any(old)).status_code == 403

    def test_an_overlap_has_bounds_and_so_have_new_values(self, tenant: Tenant) -> None:
        key = only_version(tenant).api_key
        for overlap in (timedelta(days=91), timedelta(seconds=-1)):
            with pytest.raises(Refused, match="at most"):
                rotate(key, overlap=overlap)
        for _ in range(29):
            rotate(key)
        with pytest.raises(Refused, match="within 24 hours"):
            rotate(key)
        assert ApiKeyVersion.objects.count() == 30
        rotate(key, now=timezone.now() + DAY)


def test_a_new_period_opens_for_a_tenant_who_is_due_later(tenant: Tenant) -> None:
    run(tenant)
    rotate(only_version(tenant).api_key, overlap=timedelta(days=40))
    run(tenant)
    now = timezone.now()
    assert tenant.reconcile_at is not None
    assert reconcile.tenants_without_period(now=now) == []
    assert reconcile.tenants_without_period(now=now + timedelta(days=31)) == [tenant]


class TestAtOnce:
    def test_two_who_want_the_last_key_get_one(self, tenant: Tenant) -> None:
        UsagePlan.objects.update(most_keys=2)

        def create(name: str) -> Callable[[], object]:
            return lambda: services.api_key_create(
                tenant=tenant, name=name, actor=None, now=timezone.now()
            )

        outcomes = at_once(create("a"), create("b"))
        assert sorted(isinstance(outcome, Refused) for outcome in outcomes) == [False, True]
        assert ApiKey.objects.count() == 2

    def test_an_old_value_that_two_end_ends_once_and_one_of_two_rotations_is_kept(
        self, tenant: Tenant
    ) -> None:
        run(tenant)
        key = only_version(tenant).api_key
        at_once(lambda: rotate(key), lambda: rotate(ApiKey.objects.get(pk=key.pk)))
        assert standing(key) == [
            VersionStatus.RETIRING, VersionStatus.REVOKED, VersionStatus.PENDING,
        ]  # fmt: skip
        run(tenant)
        later = timezone.now() + 2 * DAY

        def end() -> object:
            return services.api_key_overlap_end(api_key=key, actor=None, now=later)

        at_once(end, lambda: key_ends.keys_end(tenant=tenant, now=later))
        assert AuditEntry.objects.filter(action="api_key.overlap_ended").count() == 1
        assert standing(key)[0] == VersionStatus.REVOKED
