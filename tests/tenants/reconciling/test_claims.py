"""A worker that stands still for longer than its claim lasts, while another does its work.

With real calls: the other one runs in the middle of the first one's run.
"""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from portal.local.aws.server import LocalAWS
from tenants import gateway, selectors, services
from tenants.models import ApiKey, ApiKeyVersion, Lease, Tenant, UsagePlan, VersionStatus
from tenants.services import claims, reconcile
from tests.conftest import Call
from tests.tenants.gateway_keys import only_version, passes, value_of
from tests.tenants.reconciling.conftest import grant, settle
from tests.tenants.world import MIDNIGHT, World

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]


class Workers:
    """Two of them. What is put into `before` and `after` happens while the first stands still:
    before it makes sure of its claim for that call, or before it notes the answer. Then the other
    one runs.
    """

    def __init__(self) -> None:
        self.now = timezone.now()
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, Callable[[], object]] = {}

    def reconcile(self, tenant: Tenant) -> None:
        reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: self.now)

    def stand_still(self, do: Callable[[], object]) -> None:
        self.now += timedelta(minutes=1)
        do()
        self.reconcile(Tenant.objects.get())


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    workers = Workers()
    real_call, real_renew = gateway._call, claims.claim_renew

    def _call(operation: str, **parameters: object) -> dict[str, object]:
        answer = real_call(operation, **parameters)  # type: ignore[arg-type]
        if do := workers.after.pop(operation, None):
            workers.stand_still(do)
        return answer

    def claim_renew(**parameters: object) -> None:
        is_pending = Lease.objects.filter(pending_limit__isnull=False).exists()
        is_moving = ApiKeyVersion.objects.filter(gateway_plan=None).exclude(gateway_id="").exists()
        for operation, is_next in (
            ("update_usage", is_pending),
            ("create_usage_plan_key", is_moving),
        ):
            if is_next and (do := workers.before.pop(operation, None)):
                parameters["now"] = workers.now + timedelta(minutes=1)
                workers.stand_still(do)
        real_renew(**parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(gateway, "_call", _call)
    monkeypatch.setattr(reconcile, "claim_renew", claim_renew)
    yield workers
    assert not {**workers.before, **workers.after}, "the call was never made"


@pytest.fixture
def value(tenant: Tenant) -> str:
    settle(tenant)
    return value_of(only_version(tenant))


def test_a_pack_that_another_has_written_meanwhile_is_not_written_again(
    tenant: Tenant, value: str, call: Call, workers: Workers
) -> None:
    used = passes(call, value, at_most=15)
    grant(tenant, 7, "order:1")

    def use() -> None:
        nonlocal used
        workers.reconcile(tenant)
        used += passes(call, value, at_most=30)

    workers.before["update_usage"] = use
    workers.reconcile(tenant)
    assert used + passes(call, value, at_most=30) == 17


def test_an_answer_that_comes_after_a_reading_has_told_changes_nothing(
    tenant: Tenant, value: str, call: Call, workers: Workers
) -> None:
    used = passes(call, value, at_most=15)
    grant(tenant, 7, "order:1")

    def use() -> None:
        nonlocal used
        workers.reconcile(tenant)
        used += passes(call, value, at_most=3)

    workers.after["update_usage"] = use
    workers.reconcile(tenant)
    assert Lease.objects.get().limit_requests == 17
    workers.reconcile(tenant)
    assert used + passes(call, value, at_most=30) == 17


def test_a_key_is_not_moved_away_from_where_another_has_moved_it_meanwhile(
    tenant: Tenant, value: str, call: Call, workers: Workers
) -> None:
    other, third = (
        services.usage_plan_save(
            usage_plan=UsagePlan(
                code=code, name="Other", rate_limit=20, burst_limit=5_000, quota_limit=12,
                is_prorated=False, advance=0,
            ),
            now=timezone.now(),
        )
        for code in ("other", "third")
    )  # fmt: skip
    used = passes(call, value, at_most=6)

    def change_again() -> None:
        services.tenant_change_plan(tenant=tenant, usage_plan=third, now=workers.now)

    workers.before["create_usage_plan_key"] = change_again
    services.tenant_change_plan(tenant=tenant, usage_plan=other, now=workers.now)
    workers.reconcile(tenant)
    version = only_version(tenant)
    assert version.gateway_plan is not None
    assert version.gateway_plan.usage_plan == third
    joined = gateway._call("get_usage_plans", keyId=version.gateway_id)["items"]
    assert [each["id"] for each in joined] == [version.gateway_plan.gateway_id]
    for _ in range(3):
        used += passes(call, value, at_most=30)
        workers.reconcile(tenant)
    assert used == 12


def test_a_key_that_expires_while_it_is_enabled_stays_due_to_be_removed(
    tenant: Tenant, workers: Workers
) -> None:
    key = ApiKey.objects.get()
    expires_at = workers.now + timedelta(seconds=40)
    services.api_key_update(
        api_key=key, name="soon", expires_at=expires_at, actor=None, now=workers.now
    )
    workers.after["update_api_key"] = lambda: None
    workers.reconcile(tenant)
    version = only_version(tenant)
    assert version.status == VersionStatus.REVOKED
    assert not gateway._call("get_api_key", apiKey=version.gateway_id)["enabled"]
    workers.now += reconcile.DELETE_AFTER + timedelta(minutes=1)
    for _ in range(2):
        for tenant_id in reconcile.tenants_due(now=workers.now):
            reconcile.tenant_reconcile(tenant_id=tenant_id, clock=lambda: workers.now)
    assert selectors.is_in_step(tenant=tenant, now=workers.now)
    assert gateway.api_key_find(name=version.gateway_name) is None


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("late", [0], indirect=True)
def test_what_was_begun_before_a_periods_end_is_not_written_after_it(
    local_aws: LocalAWS, call: Call, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings take so long that the month ends: a pack of the old one is none of the new one."""
    settings.GATEWAY_CLAIM_SECONDS = 30
    world = World(local_aws.url, call, random.Random(0), is_metered=False)
    for _ in range(2):
        world.create()
    world.tick(MIDNIGHT - timedelta(minutes=10) - world.now)
    world.work()
    for _ in range(3):
        world.traffic(most=500, least=500)
        world.work()
        world.tick(timedelta(minutes=1))
    world.tick(MIDNIGHT - timedelta(seconds=62) - world.now)
    world.buy(200)
    real = gateway._call

    def slow(operation: str, **parameters: object) -> dict[str, object]:
        if operation == "get_usage":
            world.tick(timedelta(seconds=25))
        return real(operation, **parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(gateway, "_call", slow)
    world.reconcile()
    assert world.now > MIDNIGHT
    monkeypatch.setattr(gateway, "_call", real)
    world.work()
    world.traffic(most=500, least=500)
    world.check()
