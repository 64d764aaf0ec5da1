"""A tenant on a small plan at the local AWS, which the reconciler brings in step."""

import pytest
from django.utils import timezone

from tenants import selectors, services
from tenants.models import GrantKind, QuotaGrant, Tenant, UsagePlan, User
from tenants.services import reconcile


@pytest.fixture
def plan() -> UsagePlan:
    """10 requests in a month; a burst so large that no test feels the throttle."""
    plan = UsagePlan(
        code="small", name="Small", rate_limit=20, burst_limit=5_000, quota_limit=10,
        is_prorated=False, advance=3,
    )  # fmt: skip
    return services.usage_plan_save(usage_plan=plan, now=timezone.now())


@pytest.fixture
def tenant(plan: UsagePlan, alice_user: User) -> Tenant:
    return services.tenant_create(
        name="Alice Corp", owner=alice_user, usage_plan=plan, now=timezone.now()
    )


def settle(tenant: Tenant) -> Tenant:
    """Run the reconciler until it has nothing more to do now.

    Its clock stands meanwhile: each moment that passes, on a slow machine, may be one of traffic.
    """
    now = timezone.now()
    assert reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: now)
    tenant.refresh_from_db()
    return tenant


def grant(tenant: Tenant, requests: int, source: str) -> QuotaGrant:
    period = selectors.current_period(tenant=tenant, now=timezone.now())
    return services.quota_grant(
        tenant=tenant, requests=requests, kind=GrantKind.EXTENSION, source=source,
        period_start=period.start, now=timezone.now(),
    )  # fmt: skip
