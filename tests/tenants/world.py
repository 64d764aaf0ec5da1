"""A tenant whose callers, owner and operator do what they may, at a gateway that is exact or late.

`check` tells whether the promise of docs/quota.md was kept so far.
"""

import contextlib
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import httpx

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
    UsagePlan,
    User,
    VersionStatus,
)
from tenants.periods import Period, period_of
from tenants.services import drift, mirrors, reconcile, usage
from tests.conftest import Call
from tests.tenants.gateway_keys import value_of_any

START = datetime(2026, 11, 30, 21, 0, tzinfo=UTC)  # the month ends halfway
MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
NOVEMBER, DECEMBER = Period(date(2026, 11, 1), date(2026, 12, 1)), period_of("MONTH", MIDNIGHT)
ACTS = (
    "buy", "create", "rotate", "rotate", "revoke", "plan", "plan",
    "give back", "cap", "hold", "operate", "console",
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
        """What beat does: compare, sync, read the live meter, and run whoever is due."""
        if self.is_metered:
            self.meter()
        if self.rng.random() < 0.2:
            with contextlib.suppress(gateway.GatewayError):
                drift.gateway_compare(clock=lambda: self.now)
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
            case "console":
                self.console()
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

    def console(self) -> None:
        """Do to a key at the gateway itself what only its rows should say."""
        placed = ApiKeyVersion.objects.exclude(gateway_plan=None).select_related("gateway_plan")
        if not placed:
            return
        version = self.rng.choice(placed)
        assert version.gateway_plan is not None
        with contextlib.suppress(gateway.GatewayError):
            if self.rng.random() < 0.5:
                gateway.api_key_set_enabled(key_id=version.gateway_id, is_enabled=False)
            else:
                gateway.api_key_detach(
                    plan_id=version.gateway_plan.gateway_id, key_id=version.gateway_id
                )

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
