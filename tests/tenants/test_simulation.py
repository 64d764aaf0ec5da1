"""The promise of docs/quota.md under random traffic, and greedy cheats, at the real local gateway.

Figures are exact, or 45 minutes late with the live meter or without; one answer in ten is lost
(before or after its effect), and some come so late that another worker has gone on meanwhile. Keys
are created, rotated with overlaps and revoked, plans changed and changed back, and for one of days,
extensions bought and given back, caps set, tenants suspended, quotas and advances changed
by the operator, and a month ends. Never may more pass in a period than the entitlement and the
advance; and once all has settled, not less than the entitlement either.
SIMULATION_RUNS asks for more than the one run of every day, and tells (-rP) how many calls were
refused that the entitlement had room for.
"""

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from django.conf import LazySettings

from portal.local.aws.server import LocalAWS
from tenants import gateway, services
from tenants.errors import NotInThisState
from tenants.live import LiveCounts
from tenants.models import (
    ApiKey,
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    GrantKind,
    Hold,
    HoldReason,
    QuotaGrant,
    QuotaPeriod,
    Tenant,
    UsagePlan,
    User,
    VersionStatus,
)
from tenants.periods import Period, period_of
from tenants.services import mirrors, reconcile, usage
from tests.conftest import Call
from tests.tenants.gateway_keys import value_of_any

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]

RUNS = int(os.environ.get("SIMULATION_RUNS", "1"))
LAG = 45 * 60
START = datetime(2026, 11, 30, 21, 0, tzinfo=UTC)  # the month ends halfway
MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
NOVEMBER, DECEMBER = Period(date(2026, 11, 1), date(2026, 12, 1)), period_of("MONTH", MIDNIGHT)
ACTS = (
    "buy", "create", "rotate", "rotate", "revoke", "plan", "plan",
    "give back", "cap", "hold", "operate",
)  # fmt: skip


class World:
    """One tenant, its callers, and a clock that the gateway and the portal share."""

    def __init__(self, aws_url: str, call: Call, rng: random.Random, *, is_metered: bool) -> None:
        self.aws_url, self.call, self.rng, self.is_metered = aws_url, call, rng, is_metered
        self.now = START
        self.passed: Counter[Period] = Counter()  # of the plan that the key was in
        self.allowed: dict[Period, int] = {}
        self.refused_wrongly = 0
        self.is_still = False
        self.worked_on: date | None = None
        self.log: Counter[tuple[str, datetime]] = Counter()
        self.unread: set[tuple[str, datetime]] = set()
        self.values: dict[int, str] = {}
        self.tick(timedelta(0))
        self.plans = [
            services.usage_plan_save(
                usage_plan=UsagePlan(
                    code=f"sim-{quota}", name="Sim", rate_limit=10_000, burst_limit=5_000,
                    quota_limit=quota, is_prorated=False, advance=5,
                ),
                now=self.now,
            )
            for quota in (60, 80)
        ]  # fmt: skip
        self.daily = services.usage_plan_save(
            usage_plan=UsagePlan(
                code="sim-daily", name="Sim", rate_limit=10_000, burst_limit=5_000,
                quota_limit=30, quota_period=QuotaPeriod.DAY, is_prorated=False, advance=5,
            ),
            now=self.now,
        )  # fmt: skip
        self.tenant = services.tenant_create(
            name="Sim",
            owner=User.objects.create_user("sim@example.org", "x"),
            usage_plan=self.plans[0],
            now=self.now,
        )

    @property
    def period(self) -> Period:
        self.tenant.refresh_from_db()
        return period_of(self.tenant.usage_plan.quota_period, self.now)

    @property
    def keys(self) -> list[ApiKey]:
        return list(ApiKey.objects.filter(tenant=self.tenant, revoked_at=None))

    def tick(self, delta: timedelta) -> None:
        self.now += delta
        answer = httpx.post(f"{self.aws_url}/_sekisho/clock", json={"now": self.now.isoformat()})
        answer.raise_for_status()

    def reconcile(self) -> None:
        reconcile.tenant_reconcile(tenant_id=self.tenant.pk, clock=lambda: self.now)
        self.worked_on = self.now.date()

    def work(self) -> None:
        """What beat does: sync, read the live meter, and run whoever is due."""
        if self.is_metered:
            self.meter()
        for mirror in GatewayPlan.objects.exclude(gateway_id="").select_related("usage_plan"):
            with contextlib.suppress(gateway.GatewayError):
                if not mirrors.is_applied(mirror):
                    mirrors.mirror_apply(mirror=mirror, now=self.now)
                usage.usage_sync(mirror=mirror, now=self.now)
        if self.tenant.pk in reconcile.tenants_due(
            now=self.now
        ) or reconcile.tenants_without_period(now=self.now):
            self.reconcile()

    def stand_still(self) -> None:
        """Have the worker that runs lose its claim while another one runs."""
        away = timedelta(minutes=self.rng.choice([1, 10, 50]))
        # Of a period that nobody has looked at yet, more may be used: as much as the reset gave.
        if self.is_still or {self.now.date(), (self.now + away).date()} != {self.worked_on}:
            return
        self.is_still = True
        self.tick(away)
        self.work()
        self.traffic(most=12)
        self.is_still = False

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

    def traffic(self, most: int, least: int = 0) -> None:
        """Call with all values, ended ones among them, until each is refused or has had enough."""
        minute = self.now.replace(second=0, microsecond=0)
        versions = ApiKeyVersion.objects.select_related("gateway_plan__usage_plan")
        for version in versions.exclude(status=VersionStatus.PENDING):
            value = self.values.setdefault(version.pk, value_of_any(version))
            for _ in range(self.rng.randint(least, most)):
                if self.call(value).status_code != 200:
                    self.refused_wrongly += version.is_living and self.has_room()
                    break
                assert version.gateway_plan is not None
                kind = version.gateway_plan.usage_plan.quota_period
                self.passed[period_of(kind, self.now)] += 1
                self.log[version.gateway_id, minute] += 1
                self.unread.add((version.gateway_id, minute))

    def use_up(self, *, rounds: int, minutes: float) -> None:
        """Have the workers do what they can, and callers take all that there is, each time."""
        for _ in range(rounds):
            self.work()
            self.traffic(most=500, least=500)
            self.check()
            self.tick(timedelta(minutes=minutes))

    def has_room(self) -> bool:
        period = self.period
        entitled = Entitlement.objects.filter(period_start=period.start, period_end=period.end)
        return self.passed[period] < sum(each.requests for each in entitled)

    def act(self) -> None:
        """Do what a tenant or an operator may do, at random; refusals are answers, too."""
        keys = self.keys
        match self.rng.choice(ACTS):
            case "buy":
                self.buy(self.rng.randint(5, 30))
            case "give back":
                self.give_back()
            case "cap":
                cap = self.rng.choice([None, 45, 70])
                services.quota_cap_set(tenant=self.tenant, requests=cap, now=self.now)
            case "hold":
                self.hold()
            case "operate":
                self.operate()
            case "create" if len(keys) < 3:
                self.create()
            case "rotate":
                self.rotate(self.rng.choice(keys), minutes=self.rng.choice([0, 30, 300]))
            case "revoke" if len(keys) > 1:
                self.revoke(self.rng.choice(keys))
            case "plan":
                self.change_plan(self.rng.choice([None, None, self.daily]))

    def buy(self, requests: int) -> None:
        services.quota_grant(
            tenant=self.tenant,
            requests=requests,
            kind=GrantKind.EXTENSION,
            source=f"sim:{self.now}",
            period_start=self.period.start,
            now=self.now,
        )

    def give_back(self) -> None:
        """Take a pack back, or end that: for good where it was surely not used."""
        packs = QuotaGrant.objects.filter(closed_at=None).order_by("pk")
        if not packs:
            return
        pack = self.rng.choice(packs)
        ways = [services.quota_grant_restore, services.quota_grant_return]
        way = services.quota_grant_withdraw if pack.withdrawn_at is None else self.rng.choice(ways)
        with contextlib.suppress(NotInThisState):
            way(source=pack.source, now=self.now)

    def hold(self) -> None:
        """Suspend the tenant, or lift that."""
        held = Hold.objects.filter(tenant=self.tenant, lifted_at=None).exists()
        way = services.hold_lift if held else services.hold_place
        way(tenant=self.tenant, reason=HoldReason.OPERATOR, now=self.now)

    def operate(self) -> None:
        """Change a plan's quota and advance, as its operator."""
        plan = self.rng.choice(self.plans)
        plan.refresh_from_db()
        plan.quota_limit = self.rng.choice([50, 60, 80, 90])
        plan.advance = self.rng.choice([5, 20])
        services.usage_plan_save(usage_plan=plan, now=self.now)

    def throttle(self, plan: UsagePlan, rate: float, burst: int) -> None:
        """Change a plan's throttle, as its operator."""
        plan.refresh_from_db()
        plan.rate_limit, plan.burst_limit = rate, burst
        services.usage_plan_save(usage_plan=plan, now=self.now)

    def create(self) -> None:
        services.api_key_create(
            tenant=self.tenant, name=f"{len(ApiKey.objects.all())}", actor=None, now=self.now
        )

    def rotate(self, key: ApiKey, *, minutes: int) -> None:
        services.api_key_rotate(
            api_key=key, overlap=timedelta(minutes=minutes), actor=None, now=self.now
        )

    def revoke(self, key: ApiKey) -> None:
        services.api_key_revoke(api_key=key, actor=None, now=self.now)

    def change_plan(self, plan: UsagePlan | None = None) -> None:
        """Go to a plan; without one to the other of those that count by months, or back."""
        period, left = self.period, self.tenant.usage_plan
        # What it allowed counts, also where nobody has looked in this period yet.
        self.allowed.setdefault(period, left.quota_limit + left.advance_requests)
        other = next(each for each in self.plans if each.pk != left.pk)
        services.tenant_change_plan(tenant=self.tenant, usage_plan=plan or other, now=self.now)

    def check(self) -> None:
        for entitlement in Entitlement.objects.filter(tenant=self.tenant):
            period = Period(entitlement.period_start, entitlement.period_end)
            allowed = entitlement.requests + entitlement.advance_requests
            # A larger plan that is left on the day on which it began does not count any more; what
            # it allowed until then did.
            self.allowed[period] = max(allowed, self.allowed.get(period, 0))
            assert self.passed[period] <= self.allowed[period]
            # What is not enabled yet, or not again, may hold more on paper than it will have.
            opened = entitlement.leases.exclude(opened_at=None)
            leased = sum(
                max(lease.limit_requests, lease.pending_limit or 0)
                if lease.rejoined_used is None
                else lease.rejoined_used
                for lease in opened
            )
            # On paper, what a reset gave under a cap may have been used, until it is known.
            is_over = period.closes_at <= self.now
            assert leased <= self.allowed[period] or is_over or entitlement.cap_requests is not None


def entitlement_of(period: Period) -> Entitlement:
    return Entitlement.objects.get(period_start=period.start, period_end=period.end)


@pytest.fixture
def late(
    request: pytest.FixtureRequest, local_aws: LocalAWS, settings: LazySettings
) -> Iterator[None]:
    """Figures are 45 minutes late, or as many seconds as asked for, and the settings know it."""
    seconds: int = getattr(request, "param", LAG)
    settings.USAGE_LAG_SECONDS, settings.USAGE_SETTLE_SECONDS = seconds, 60 * 60 if seconds else 0
    settings.LIVE_MARGIN_SECONDS = 0  # the simulation's meter is exact, and its clock stands still
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": seconds}).raise_for_status()
    yield
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": 0}).raise_for_status()
    httpx.post(f"{local_aws.url}/_sekisho/clock", json={"now": None}).raise_for_status()


Arm = Callable[[World, float], None]


@pytest.fixture
def lossy(monkeypatch: pytest.MonkeyPatch) -> Arm:
    """Lose a share of the answers: half of them before the call had an effect, half after. As many
    come so late that another worker has gone on with the tenant meanwhile.
    """
    real = gateway._call

    def arm(world: World, share: float) -> None:
        rng = world.rng

        def _call(operation: str, **parameters: object) -> dict[str, object]:
            is_lost = rng.random() < share
            if is_lost and rng.random() < 0.5:
                raise gateway.GatewayUnavailable(f"{operation}: lost before")
            answer = real(operation, **parameters)  # type: ignore[arg-type]
            if rng.random() < share / 2:
                world.stand_still()
            if is_lost:
                raise gateway.GatewayUnavailable(f"{operation}: lost after")
            return answer

        monkeypatch.setattr(gateway, "_call", _call)

    return arm


@pytest.mark.every_case
@pytest.mark.usefixtures("late")
@pytest.mark.parametrize(
    ("late", "is_metered"),
    [(0, False), (LAG, False), (LAG, True)],
    ids=["exact figures", "late figures", "live meter"],
    indirect=["late"],
)
@pytest.mark.parametrize("seed", range(RUNS))
def test_the_promise_is_kept(
    seed: int,
    is_metered: bool,
    local_aws: LocalAWS,
    call: Call,
    lossy: Arm,
) -> None:
    rng = random.Random(seed)
    world = World(local_aws.url, call, rng, is_metered=is_metered)
    lossy(world, 0.1)
    for _ in range(40):
        today = world.now.date()
        world.tick(timedelta(seconds=rng.randint(20, 900)))
        is_new_month = world.now.date() != today  # much may be used of it before anybody looks
        world.traffic(most=40 if is_new_month else 12)
        if is_new_month or rng.random() < 0.3:
            world.act()
        if rng.random() < 0.9:  # workers are busy, or away
            world.work()
        world.traffic(most=12)
        world.check()
    lossy(world, 0.0)
    services.hold_lift(tenant=world.tenant, reason=HoldReason.OPERATOR, now=world.now)
    if world.period != DECEMBER:
        world.change_plan()
    # Quiet, until everything has settled; then whoever still has something uses it.
    for _ in range(12):
        for _ in range(3):
            world.tick(timedelta(minutes=30))
            world.work()
        world.traffic(most=200)
        world.check()
    entitlement = entitlement_of(DECEMBER)
    passed = world.passed[DECEMBER]
    assert passed >= entitlement.requests
    print(f"{world.refused_wrongly} refused, {passed} passed of {entitlement.requests}")


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("late", [0, LAG], ids=["exact figures", "late figures"], indirect=True)
def test_cheating_gives_nothing(local_aws: LocalAWS, call: Call) -> None:
    """Use up whatever there is, with every value that there ever was, after each trick."""
    world = World(local_aws.url, call, random.Random(0), is_metered=False)

    def grab(*, minutes: float = 5) -> None:
        world.use_up(rounds=2, minutes=minutes)

    grab()
    for minutes in (60, 60, 0):
        world.rotate(world.keys[0], minutes=minutes)
        grab()
    for _ in range(3):
        world.create()
        world.revoke(world.keys[0])
        grab()
    for _ in range(4):
        world.change_plan()
        grab()
    assert world.passed[NOVEMBER] >= entitlement_of(NOVEMBER).requests
    # Keys made and rotated just before the month ends, and a plan left: the reset is for all.
    world.tick(MIDNIGHT - timedelta(seconds=90) - world.now)
    for _ in range(2):
        world.create()
    world.rotate(world.keys[0], minutes=60)
    grab(minutes=1)
    for _ in range(2):
        world.rotate(world.keys[-1], minutes=60)
        world.change_plan()
        grab()
    assert world.passed[DECEMBER] >= entitlement_of(DECEMBER).requests


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("late", [0, LAG], ids=["exact figures", "late figures"], indirect=True)
def test_a_quota_that_an_operator_raises_is_given_once(local_aws: LocalAWS, call: Call) -> None:
    """The gateway adds it to the first key's counter by itself, before anything is written."""
    world = World(local_aws.url, call, random.Random(0), is_metered=False)
    world.work()
    plan, _other = world.plans
    for quota in (80, 50, 90):
        plan.quota_limit = quota
        services.usage_plan_save(usage_plan=plan, now=world.now)
        world.work()
        if quota == 80:
            world.create()
        world.use_up(rounds=3, minutes=5)
    assert world.passed[NOVEMBER] >= 90


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("late", [0, LAG], ids=["exact figures", "late figures"], indirect=True)
def test_going_back_and_forth_gives_nothing_to_who_never_runs_dry(
    local_aws: LocalAWS, call: Call
) -> None:
    """A zero would be told at once. What is used short of it is not, and each plan that is come
    back to may have a fresh counter.
    """
    world = World(local_aws.url, call, random.Random(0), is_metered=False)
    world.work()
    for _ in range(4):
        world.traffic(most=19, least=19)
        world.check()
        world.tick(timedelta(minutes=1))
        world.change_plan()
        world.work()
    for _ in range(6):  # once all is known, whoever still has something uses it
        world.tick(timedelta(minutes=30))
        world.work()
        world.traffic(most=200, least=200)
        world.check()
    assert world.passed[NOVEMBER] >= entitlement_of(NOVEMBER).requests


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("late", [0, LAG], ids=["exact figures", "late figures"], indirect=True)
@pytest.mark.parametrize("trick", ["change plan", "rotate", "by days, and back"])
def test_what_is_used_of_a_period_before_anybody_looks_counts(
    trick: str, local_aws: LocalAWS, call: Call
) -> None:
    """A key stops, or moves, before anything else was done in the new period: as with every plan
    that is changed at its end.
    """
    world = World(local_aws.url, call, random.Random(0), is_metered=False)
    world.work()
    world.tick(MIDNIGHT + timedelta(minutes=5) - world.now)
    world.traffic(most=45, least=45)
    if trick == "rotate":
        world.rotate(world.keys[0], minutes=0)
    elif trick == "change plan":
        world.change_plan()
    else:
        world.change_plan(world.daily)
        world.work()
        world.traffic(most=500, least=500)
        world.check()
        world.change_plan(world.plans[0])
    world.use_up(rounds=6, minutes=20)
    assert world.passed[DECEMBER] >= entitlement_of(DECEMBER).requests


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("late", [0, LAG], ids=["exact figures", "late figures"], indirect=True)
def test_a_cap_holds_in_a_new_period_whose_first_calls_are_not_known_yet(
    local_aws: LocalAWS, call: Call
) -> None:
    """By the first reading all that the reset gave may have been used: it is looked at again."""
    world = World(local_aws.url, call, random.Random(0), is_metered=False)
    world.work()
    services.quota_cap_set(tenant=world.tenant, requests=30, now=world.now)
    world.tick(MIDNIGHT + timedelta(minutes=2) - world.now)
    world.traffic(most=10, least=10)
    for _ in range(6):
        world.work()
        world.tick(timedelta(minutes=30))
    world.traffic(most=200, least=200)
    world.check()
    assert world.passed[DECEMBER] == 30


@pytest.mark.usefixtures("late")
def test_who_was_suspended_while_the_quota_fell_can_call_again(
    local_aws: LocalAWS, call: Call
) -> None:
    """What its key had may have been used, as far as late figures tell: it comes back with that."""
    world = World(local_aws.url, call, random.Random(0), is_metered=False)
    world.work()
    world.traffic(most=1, least=1)
    world.check()
    world.hold()
    world.work()
    services.quota_cap_set(tenant=world.tenant, requests=30, now=world.now)
    world.tick(timedelta(minutes=100))
    world.work()
    world.hold()
    for _ in range(2):
        world.tick(timedelta(minutes=30))
        world.work()
    world.traffic(most=200, least=200)
    world.check()
    assert world.passed[NOVEMBER] >= 30


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("late", [0, LAG], ids=["exact figures", "late figures"], indirect=True)
@pytest.mark.parametrize("moment", ["wanted", "at the gateway", "raised meanwhile"])
def test_calls_that_came_before_a_rate_was_lowered_came_that_fast(
    moment: str, local_aws: LocalAWS, call: Call
) -> None:
    """A key moves after that: what it may have used is not told yet, and reckoned by the rate."""
    world = World(local_aws.url, call, random.Random(0), is_metered=False)
    for plan in world.plans:
        plan.quota_limit = 400
        services.usage_plan_save(usage_plan=plan, now=world.now)
    world.work()
    world.traffic(most=380, least=380)
    for rate, burst in [(0.1, 1), (10_000, 5_000), (0.1, 1)]:
        world.throttle(world.plans[0], rate, burst)
        if moment != "wanted":
            world.work()
        if moment != "raised meanwhile":
            break
        world.tick(timedelta(minutes=2))
    world.change_plan()
    world.use_up(rounds=6, minutes=20)
    assert world.passed[NOVEMBER] >= entitlement_of(NOVEMBER).requests


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("late", [0, LAG], ids=["exact figures", "late figures"], indirect=True)
def test_who_leaves_a_plan_that_is_paid_by_use_has_the_next_ones_quota_at_once(
    local_aws: LocalAWS, call: Call
) -> None:
    """What was used before is paid by use, however late it is told of."""
    world = World(local_aws.url, call, random.Random(0), is_metered=False)
    by_use = UsagePlan(
        code="by-use", name="By use", rate_limit=50, burst_limit=100, quota_limit=1_000_000_000,
        is_unlimited=True, is_prorated=False,
    )  # fmt: skip
    world.change_plan(services.usage_plan_save(usage_plan=by_use, now=world.now))
    world.work()
    paid = 0
    for _ in range(2):
        world.traffic(most=40, least=40)
        paid += 40
        world.change_plan(world.plans[0])
        for minutes in (1, 14, 40):
            world.work()
            world.traffic(most=500, least=500)
            assert world.passed[NOVEMBER] == paid + 60
            world.tick(timedelta(minutes=minutes))
        world.change_plan(by_use)
        world.work()


def test_tenant_is_found_by_the_simulation(call: Call) -> None:
    """Guard the guard: a call without a key is refused, so `traffic` cannot pass by accident."""
    assert call(None).status_code == 403
    assert not Tenant.objects.exists()
