"""What the live meter is for: leases move in seconds, although GetUsage is 45 minutes late."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tenants import services
from tenants.live import LiveCounts
from tenants.models import ApiKeyVersion, Lease, Tenant
from tests.tenants.test_reconcile import (
    Call,
    only_version,
    passes,
    plan,
    settle,
    tenant,
    value_of,
)
from tests.tenants.test_simulation import late

__all__ = ["late", "plan", "tenant"]  # fixtures

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey", "late"),
]


def count(version: ApiKeyVersion, requests: int, *, up_to: datetime) -> None:
    """Have the meter's figure for this minute read, and nothing later than `up_to`."""
    minute = up_to.replace(second=0, microsecond=0)
    counts = LiveCounts(version.gateway_id, minute, "GET /v1/ping", requests=requests)
    services.live_record(counts=[counts], newest_at=up_to, read_to=up_to, now=up_to)


def rotated_after(tenant: Tenant, call: Call, *, calls: int) -> tuple[ApiKeyVersion, ApiKeyVersion]:
    settle(tenant)
    old = only_version(tenant)
    assert passes(call, value_of(old), at_most=calls) == calls
    new = services.api_key_rotate(api_key=old.api_key, actor=None, now=timezone.now())
    settle(tenant)
    return old, new


def test_a_rotated_key_leaves_what_it_has_not_used_to_its_successor(
    tenant: Tenant, call: Call
) -> None:
    old, new = rotated_after(tenant, call, calls=4)
    old.refresh_from_db()
    count(old, 4, up_to=timezone.now())
    settle(tenant)
    assert Lease.objects.get(version=old).limit_requests == 4
    assert passes(call, value_of(new), at_most=30) == 6


def test_without_it_the_successor_waits_until_figures_settle(tenant: Tenant, call: Call) -> None:
    _, new = rotated_after(tenant, call, calls=4)
    assert passes(call, value_of(new), at_most=30) == 0


def test_one_that_has_not_come_to_the_rotation_yet_frees_nothing(
    tenant: Tenant, call: Call
) -> None:
    before = timezone.now() - timedelta(minutes=10)
    old, _ = rotated_after(tenant, call, calls=4)
    old.refresh_from_db()
    count(old, 4, up_to=before)
    settle(tenant)
    assert Lease.objects.get(version=old).limit_requests == 10
