"""The promise of docs/quota.md under random traffic, at the real local gateway.

Figures are 45 minutes late, one answer in ten is lost (before or after its effect), keys are
created, rotated and revoked, extensions bought; with the live meter, and without. Never may more
pass than the entitlement and the advance; and once all has settled, not less than the entitlement
either. SIMULATION_RUNS asks for more than the few runs of every day, and tells (-rP) how many calls
were refused that the entitlement had room for.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.conf import LazySettings
from django.conf import settings as django_settings

from portal.local.aws.server import LocalAWS
from tenants import gateway, key_values, services
from tenants.live import LiveCounts
from tenants.models import (
    ApiKey,
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    GrantKind,
    Lease,
    Tenant,
    UsagePlan,
    User,
    VersionStatus,
)
from tenants.services import reconcile, usage
from tests.tenants.test_reconcile import Call

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]

RUNS = int(os.environ.get("SIMULATION_RUNS", "2"))
LAG = 45 * 60
START = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)


class World:
    """One tenant, its callers, and a clock that the gateway and the portal share."""

    def __init__(self, aws_url: str, call: Call, rng: random.Random, *, is_metered: bool) -> None:
        self.aws_url, self.call, self.rng, self.is_metered = aws_url, call, rng, is_metered
        self.now = START
        self.passed = 0
        self.refused_wrongly = 0
        self.log: Counter[tuple[str, datetime]] = Counter()
        self.unread: set[tuple[str, datetime]] = set()
        self.values: dict[int, str] = {}
        self.tick(timedelta(0))
        plan = UsagePlan(
            code="sim", name="Sim", rate_limit=10_000, burst_limit=5_000, quota_limit=60,
            is_prorated=False, advance=5,
        )  # fmt: skip
        services.usage_plan_save(usage_plan=plan, now=self.now)
        self.tenant = services.tenant_create(
            name="Sim",
            owner=User.objects.create_user("sim@example.org", "x"),
            usage_plan=plan,
            now=self.now,
        )

    def tick(self, delta: timedelta) -> None:
        self.now += delta
        answer = httpx.post(f"{self.aws_url}/_sekisho/clock", json={"now": self.now.isoformat()})
        answer.raise_for_status()

    def reconcile(self) -> None:
        reconcile.tenant_reconcile(tenant_id=self.tenant.pk, clock=lambda: self.now)

    def work(self) -> None:
        """What beat does: sync, read the live meter, and run whoever is due."""
        if self.is_metered:
            self.meter()
        for mirror in GatewayPlan.objects.exclude(gateway_id="").select_related("usage_plan"):
            try:
                usage.usage_sync(mirror=mirror, now=self.now)
            except gateway.GatewayError:
                continue
        if reconcile.tenants_due(now=self.now):
            self.reconcile()

    def meter(self) -> None:
        """Hand over what the access log would have said by now of the minutes that have grown."""
        counts = [
            LiveCounts(
                gateway_id=key, minute=minute, route="GET /v1/ping", requests=self.log[key, minute]
            )
            for key, minute in self.unread
        ]
        self.unread.clear()
        now = self.now
        services.live_record(
            counts=counts, newest_at=now, read_to=now, complete_since=START, now=now
        )

    def traffic(self, most: int) -> None:
        """Call with random keys, revoked ones among them."""
        minute = self.now.replace(second=0, microsecond=0)
        for version in ApiKeyVersion.objects.exclude(status=VersionStatus.PENDING):
            value = self.values.setdefault(version.pk, value_of_any(version))
            for _ in range(self.rng.randint(0, most)):
                if self.call(value).status_code != 200:
                    self.refused_wrongly += version.is_living and self.has_room()
                    break
                self.passed += 1
                self.log[version.gateway_id, minute] += 1
                self.unread.add((version.gateway_id, minute))

    def has_room(self) -> bool:
        return self.passed < sum(each.requests for each in Entitlement.objects.all())

    def act(self) -> None:
        """Buy, create, rotate or revoke."""
        keys = list(ApiKey.objects.filter(tenant=self.tenant, revoked_at=None))
        match self.rng.choice(["buy", "create", "rotate", "revoke", "nothing", "nothing"]):
            case "buy":
                services.quota_grant(
                    tenant=self.tenant,
                    requests=self.rng.randint(5, 30),
                    kind=GrantKind.EXTENSION,
                    source=f"sim:{self.now}",
                    period_start=START.date().replace(day=1),
                    now=self.now,
                )
            case "create" if len(keys) < 3:
                services.api_key_create(
                    tenant=self.tenant, name=f"key {self.now}", actor=None, now=self.now
                )
            case "rotate":
                services.api_key_rotate(
                    api_key=self.rng.choice(keys),
                    overlap=timedelta(minutes=self.rng.choice([0, 30, 300])),
                    actor=None,
                    now=self.now,
                )
            case "revoke" if len(keys) > 1:
                services.api_key_revoke(api_key=self.rng.choice(keys), actor=None, now=self.now)

    def check(self) -> None:
        entitlement = Entitlement.objects.get(tenant=self.tenant)
        allowed = entitlement.requests + entitlement.advance_requests
        assert self.passed <= allowed
        # A version that is not enabled yet may hold more on paper than it will be let have.
        opened = Lease.objects.exclude(opened_at=None)
        leased = sum(max(lease.limit_requests, lease.pending_limit or 0) for lease in opened)
        assert leased <= allowed


def value_of_any(version: ApiKeyVersion) -> str:
    """Return the value of a version in any state, as whoever has kept it would know it."""
    return key_values.derive(version.uuid, secret=django_settings.API_KEY_SECRET)


@pytest.fixture
def late(local_aws: LocalAWS, settings: LazySettings) -> Iterator[None]:
    """Figures are 45 minutes late, and the settings know it."""
    settings.USAGE_LAG_SECONDS, settings.USAGE_SETTLE_SECONDS = LAG, 60 * 60
    settings.LIVE_MARGIN_SECONDS = 0  # the simulation's meter is exact, and its clock stands still
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": LAG}).raise_for_status()
    yield
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": 0}).raise_for_status()
    httpx.post(f"{local_aws.url}/_sekisho/clock", json={"now": None}).raise_for_status()


@pytest.fixture
def lossy(monkeypatch: pytest.MonkeyPatch) -> Callable[[random.Random, float], None]:
    """Lose a share of the answers: half of them before the call had an effect, half after."""
    real = gateway._call

    def arm(rng: random.Random, share: float) -> None:
        def _call(operation: str, **parameters: object) -> dict[str, object]:
            is_lost = rng.random() < share
            if is_lost and rng.random() < 0.5:
                raise gateway.GatewayUnavailable(f"{operation}: lost before")
            answer = real(operation, **parameters)  # type: ignore[arg-type]
            if is_lost:
                raise gateway.GatewayUnavailable(f"{operation}: lost after")
            return answer

        monkeypatch.setattr(gateway, "_call", _call)

    return arm


@pytest.mark.every_case
@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("is_metered", [False, True], ids=["late figures", "live meter"])
@pytest.mark.parametrize("seed", range(RUNS))
def test_the_promise_is_kept(
    seed: int,
    is_metered: bool,
    local_aws: LocalAWS,
    call: Call,
    lossy: Callable[[random.Random, float], None],
) -> None:
    rng = random.Random(seed)
    world = World(local_aws.url, call, rng, is_metered=is_metered)
    lossy(rng, 0.1)
    for _ in range(60):
        world.tick(timedelta(seconds=rng.randint(20, 900)))
        world.traffic(most=12)
        if rng.random() < 0.3:
            world.act()
        world.work()
        world.traffic(most=12)
        world.check()
    lossy(rng, 0.0)
    # Quiet, until everything has settled; then whoever still has something uses it.
    for _ in range(12):
        for _ in range(3):
            world.tick(timedelta(minutes=30))
            world.work()
        world.traffic(most=200)
        world.check()
    entitlement = Entitlement.objects.get(tenant=world.tenant)
    assert world.passed >= entitlement.requests
    print(f"{world.refused_wrongly} refused, {world.passed} passed of {entitlement.requests}")


def test_tenant_is_found_by_the_simulation(call: Call) -> None:
    """Guard the guard: a call without a key is refused, so `traffic` cannot pass by accident."""
    assert call(None).status_code == 403
    assert not Tenant.objects.exists()
