"""What the live meter is for: leases move in seconds, although GetUsage is 45 minutes late."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.db.models import F
from django.utils import timezone

from portal.local.aws.server import LocalAWS
from tenants import services
from tenants.live import LiveCounts
from tenants.models import ApiKeyVersion, GatewayStage, Lease, LiveDay, MethodLimit, Tenant
from tenants.services import reconcile, refusals
from tenants.services.lease_terms import position_of
from tests.conftest import Call
from tests.tenants.gateway_keys import only_version, passes, value_of
from tests.tenants.reconciling.conftest import settle

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey", "late"),
]


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def count(
    version: ApiKeyVersion, requests: int, *, up_to: datetime, since: datetime = LONG_AGO
) -> None:
    """Have the meter's figure for this minute read, and nothing later than `up_to`."""
    minute = up_to.replace(second=0, microsecond=0)
    counts = LiveCounts(version.gateway_id, minute, "GET /v1/ping", requests=requests)
    services.live_record(
        counts=[counts], newest_at=up_to, read_to=up_to, complete_since=since, now=up_to
    )


def rotated_after(tenant: Tenant, call: Call, *, calls: int) -> tuple[ApiKeyVersion, ApiKeyVersion]:
    settle(tenant)
    old = only_version(tenant)
    assert passes(call, value_of(old), at_most=calls) == calls
    new = services.api_key_rotate(
        api_key=old.api_key, overlap=timedelta(0), actor=None, now=timezone.now()
    )
    settle(tenant)
    old.refresh_from_db()
    return old, new


def test_a_rotated_key_leaves_what_it_has_not_used_to_its_successor(
    tenant: Tenant, call: Call
) -> None:
    old, new = rotated_after(tenant, call, calls=4)
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
    count(old, 4, up_to=before)
    settle(tenant)
    assert Lease.objects.get(version=old).limit_requests == 10


def test_one_that_has_not_counted_since_the_beginning_frees_nothing(
    tenant: Tenant, call: Call
) -> None:
    old, _ = rotated_after(tenant, call, calls=4)
    count(old, 4, up_to=timezone.now(), since=timezone.now())
    settle(tenant)
    assert Lease.objects.get(version=old).limit_requests == 10


def test_one_that_counted_less_than_was_billed_is_not_believed_any_more(
    tenant: Tenant, call: Call
) -> None:
    old, _ = rotated_after(tenant, call, calls=4)
    count(old, 4, up_to=timezone.now())
    LiveDay.objects.filter(version=old).update(billed=5)
    settle(tenant)
    assert Lease.objects.get(version=old).limit_requests == 10


def test_two_apis_are_two_meters_of_which_one_is_read(tenant: Tenant, call: Call) -> None:
    old, _ = rotated_after(tenant, call, calls=4)
    count(old, 4, up_to=timezone.now())
    for api_id in ("old", "new"):
        GatewayStage.objects.create(api_id=api_id, name="live", base_url="https://x.example")
    settle(tenant)
    assert Lease.objects.get(version=old).limit_requests == 10


def test_what_was_thought_to_be_unused_counts_again_once_it_is_seen(
    tenant: Tenant, call: Call, local_aws: LocalAWS
) -> None:
    """A meter that has lost lines frees too much, until GetUsage tells."""
    old, new = rotated_after(tenant, call, calls=4)
    count(old, 1, up_to=timezone.now())
    settle(tenant)
    assert Lease.objects.get(version=old).limit_requests == 1
    assert Lease.objects.get(version=new).limit_requests == 9
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": 0}).raise_for_status()
    settle(tenant)
    assert Lease.objects.get(version=old).limit_requests >= 4
    assert sum(lease.limit_requests for lease in Lease.objects.all()) <= 10 + 3


def test_what_methods_of_their_own_limit_may_be_sent_besides(tenant: Tenant, call: Call) -> None:
    settle(tenant)
    lease = Lease.objects.get(version=only_version(tenant))
    before = position_of(lease).throttle
    jobs = MethodLimit(method="POST", path="/v1/jobs", rate_limit=7, burst_limit=9)
    services.usage_plan_save(usage_plan=tenant.usage_plan, method_limits=[jobs], now=timezone.now())
    after = position_of(Lease.objects.get(pk=lease.pk)).throttle
    assert (after.rate - before.rate, after.burst - before.burst) == (7, 9)


def test_a_refused_key_is_given_in_seconds_what_another_leaves(tenant: Tenant, call: Call) -> None:
    settle(tenant)
    first, now = only_version(tenant), timezone.now()
    count(first, 0, up_to=now)
    busy = services.api_key_create(tenant=tenant, name="busy", actor=None, now=now)
    settle(tenant)
    busy.refresh_from_db()
    half = passes(call, value_of(busy), at_most=30)
    assert half < 10
    minute = timezone.now().replace(second=0, microsecond=0)
    # The next minute's refusals, for this one has begun already when the key was last read.
    at = minute + timedelta(minutes=1, seconds=5)
    refused = LiveCounts(
        busy.gateway_id, minute + timedelta(minutes=1), "GET /v1/ping", requests=half,
        quota_refused=1,
    )  # fmt: skip
    assert refusals.tenants_refused(now=at) == []
    services.live_record(
        counts=[refused], newest_at=at, read_to=at, complete_since=LONG_AGO, now=at
    )
    assert refusals.tenants_refused(now=at) == [tenant]
    assert reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: at)
    assert passes(call, value_of(busy), at_most=30) >= 4
    assert refusals.tenants_refused(now=at) == []  # answered
    Lease.objects.update(seen_at=None, seen_used=F("limit_requests"))
    assert refusals.tenants_refused(now=at) == []  # nobody has anything left
