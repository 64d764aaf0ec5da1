"""The promise of docs/quota.md under random traffic, and greedy cheats, at the real local gateway.

Figures are exact, or 45 minutes late with the live meter or without; one answer in ten is lost
(before or after its effect), and some come so late that another worker has gone on meanwhile. Keys
are created, rotated with overlaps and revoked, plans changed and changed back, and for one of days,
extensions bought and given back, caps set, tenants suspended, quotas and advances changed by the
operator, keys changed in AWS's console, and a month ends. Never may more pass in a period than the
entitlement and the advance; and once all has settled, not less than the entitlement either.
SIMULATION_RUNS asks for more than the one run of every day, and tells (-rP) how many calls were
refused that the entitlement had room for.
"""

import os
import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from portal.local.aws.server import LocalAWS
from tenants import gateway, services
from tenants.models import Entitlement, HoldReason, Tenant, UsagePlan
from tenants.periods import Period
from tests.conftest import Call
from tests.tenants.conftest import LAG
from tests.tenants.world import DECEMBER, MIDNIGHT, NOVEMBER, World

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]

RUNS = int(os.environ.get("SIMULATION_RUNS", "1"))


def entitlement_of(period: Period) -> Entitlement:
    return Entitlement.objects.get(period_start=period.start, period_end=period.end)


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
