"""A tenant with a key at the local AWS, and what is done to the key.

The reconciler's clock is passed in: `run` stands at a moment of the test's choice.
"""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tenants import gateway, services
from tenants.models import ApiKey, ApiKeyVersion, Tenant, UsagePlan, User, VersionStatus
from tenants.services import reconcile

DAY = timedelta(hours=24)


@pytest.fixture
def tenant(alice_user: User) -> Tenant:
    plan = UsagePlan(
        code="small", name="Small", rate_limit=20, burst_limit=5_000, quota_limit=20,
        is_prorated=False, advance=3,
    )  # fmt: skip
    now = timezone.now()
    services.usage_plan_save(usage_plan=plan, now=now)
    return services.tenant_create(name="Alice Corp", owner=alice_user, usage_plan=plan, now=now)


def run(tenant: Tenant, at: datetime | None = None) -> None:
    now = at or timezone.now()
    assert reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: now)
    tenant.refresh_from_db()
    assert tenant.reconcile_error == ""


def rotate(key: ApiKey, *, overlap: timedelta = DAY, now: datetime | None = None) -> ApiKeyVersion:
    return services.api_key_rotate(
        api_key=key, overlap=overlap, actor=None, now=now or timezone.now()
    )


def standing(key: ApiKey) -> list[VersionStatus]:
    """Return where the versions stand, the oldest first."""
    return [VersionStatus(each.status) for each in key.versions.order_by("id")]


def refuse(**_: object) -> str:
    raise gateway.GatewayRefused("create_api_key: LimitExceededException: too many keys")
