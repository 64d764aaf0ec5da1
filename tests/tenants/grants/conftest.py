"""A tenant with grants on a small plan, and a gateway that tells what was used."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from tenants import selectors, services
from tenants.models import (
    ApiKeyVersion,
    GatewayPlan,
    GrantKind,
    Lease,
    Meter,
    QuotaGrant,
    Tenant,
    UsageDay,
    UsagePlan,
    User,
)
from tenants.services import closing
from tenants.services.quota import entitlement_ensure

NOVEMBER = datetime(2026, 11, 20, 9, tzinfo=UTC)
MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
Grant = Callable[..., QuotaGrant]


@pytest.fixture
def plan(db: None) -> UsagePlan:
    """100 requests a month; a burst of one, so that nothing is uncertain for long."""
    plan = UsagePlan(
        code="small", name="Small", rate_limit=1, burst_limit=1, quota_limit=100,
        is_prorated=False, advance=0,
    )  # fmt: skip
    return services.usage_plan_save(usage_plan=plan, now=NOVEMBER)


@pytest.fixture
def tenant(plan: UsagePlan, alice_user: User) -> Tenant:
    return services.tenant_create(
        name="Alice Corp", owner=alice_user, usage_plan=plan, now=NOVEMBER
    )


@pytest.fixture
def lease(tenant: Tenant) -> Lease:
    """The tenant's key, as it is once the gateway has it."""
    entitlement = entitlement_ensure(tenant=tenant, now=NOVEMBER)
    mirror = tenant.usage_plan.mirrors.get(slot="primary")
    GatewayPlan.objects.filter(pk=mirror.pk).update(gateway_id="plan", read_at=NOVEMBER)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    return Lease.objects.create(
        entitlement=entitlement, version=version, gateway_plan=mirror, limit_requests=100,
        written_remaining=100, opened_at=NOVEMBER,
    )  # fmt: skip


@pytest.fixture
def grant(tenant: Tenant) -> Grant:
    def grant(
        requests: int, source: str, *, rolls: bool = False, at: datetime = NOVEMBER
    ) -> QuotaGrant:
        start = selectors.current_period(tenant=tenant, now=at).start
        return services.quota_grant(
            tenant=tenant, requests=requests, kind=GrantKind.EXTENSION, source=source,
            period_start=start, rolls_over=rolls, now=at,
        )  # fmt: skip

    return grant


def use(lease: Lease, requests: int, *, on: date = date(2026, 11, 20)) -> None:
    """Have the gateway tell that so many were used in all on a day."""
    UsageDay.objects.update_or_create(
        version=lease.version, gateway_plan=lease.gateway_plan, meter=Meter.REQUESTS, day=on,
        defaults={"tenant": lease.entitlement.tenant, "used": requests, "read_at": NOVEMBER},
    )  # fmt: skip


def read(at: datetime) -> None:
    """Have the gateway's plans asked at a time, and look whether a period can be closed."""
    GatewayPlan.objects.exclude(gateway_id="").update(read_at=at)
    closing.periods_close(now=at)


def told(tenant: Tenant, now: datetime) -> list[tuple[str, int, int, str]]:
    """Return each grant: of what, used, left, state."""
    rows = selectors.grant_rows(tenant=tenant, now=now)
    return [(row.source, row.used, row.left, row.state) for row in rows]


def pay_by_use(tenant: Tenant, now: datetime) -> UsagePlan:
    """Change to a plan without a limit, at once."""
    plan = UsagePlan(
        code="payg", name="Payg", rate_limit=1, burst_limit=1, quota_limit=10**9,
        is_prorated=False, is_unlimited=True, advance=0,
    )  # fmt: skip
    plan = services.usage_plan_save(usage_plan=plan, now=now)
    services.tenant_change_plan(tenant=tenant, usage_plan=plan, now=now)
    tenant.refresh_from_db()
    return plan
