"""From a call with a real key to the page: gateway, access log, function, table, rows, panel."""

import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest
from django.db.models import Sum
from django.test import Client
from django.utils import timezone

from conversions import services
from tenants import selectors
from tenants.models import (
    ApiKeyVersion,
    GatewayPlan,
    LiveDay,
    LiveMinute,
    Tenant,
    UsageDay,
)
from tenants.services import api_key_value_reveal, reconcile, usage
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_SECONDS = 120


@pytest.fixture
def version(tenant: Tenant) -> ApiKeyVersion:
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    services.tenant_publish(tenant=tenant, now=timezone.now())
    return ApiKeyVersion.objects.get(api_key__tenant=tenant)


@pytest.fixture
def caller(stack: str, version: ApiKeyVersion) -> Iterator[httpx.Client]:
    value = api_key_value_reveal(version=version, now=timezone.now())
    assert value is not None
    with httpx.Client(base_url=stack, headers={"x-api-key": value}, timeout=60) as client:
        yield client


def polled_until(good: Callable[[], bool]) -> None:
    """Poll as beat does, until the rows are as they should be."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        services.live_poll(now=timezone.now())
        if good():
            return
        assert time.monotonic() < deadline, list(LiveMinute.objects.values())
        time.sleep(0.25)  # between two polls; what is waited for is the condition above


def used_by_getusage(version: ApiKeyVersion) -> int:
    """Return what is billed: GetUsage has no lag here."""
    for mirror in GatewayPlan.objects.exclude(gateway_id=""):
        usage.usage_sync(mirror=mirror, now=timezone.now())
    return UsageDay.objects.filter(version=version).aggregate(all=Sum("used"))["all"] or 0


def test_calls_are_on_the_page_within_seconds(
    caller: httpx.Client, version: ApiKeyVersion, cast: Cast, client: Client
) -> None:
    outcomes = Counter(caller.get("/v1/ping").status_code for _ in range(3))
    outcomes[caller.post("/v1/uploads", json={}).status_code] += 1
    assert outcomes == {200: 3, 400: 1}
    polled_until(lambda: LiveDay.objects.filter(version=version, requests=4).exists())
    by_route = {row.route: row for row in LiveMinute.objects.filter(version=version)}
    assert set(by_route) == {"GET /v1/ping", "POST /v1/uploads"}
    assert by_route["POST /v1/uploads"].client_errors == 1
    assert sum(by_route["GET /v1/ping"].latency_buckets.values()) in {1, 2, 3}  # a minute may pass

    assert client.login(email="alice@example.com", password=PASSWORD)
    page = client.get("/dashboard/live/", headers={"HX-Request": "true"})
    assert page.context["live"]["today"].requests == 4
    assert "POST /v1/uploads" in page.content.decode()
    used = selectors.live_used(versions=[version.pk], since=version.created_at)
    assert used == {version.pk: 4}
    assert used_by_getusage(version) == 4


def test_what_the_gateway_refuses_is_told_apart_and_is_not_used(
    caller: httpx.Client, version: ApiKeyVersion
) -> None:
    seen: Counter[str] = Counter()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not {"throttled", "quota_exceeded"} <= seen.keys():
        assert time.monotonic() < deadline, seen
        answer = caller.get("/v1/account/nothing")
        seen[answer.json()["code"] if answer.status_code == 429 else "passed"] += 1

    def is_counted() -> bool:
        day = LiveDay.objects.filter(version=version).first()
        return day is not None and day.requests + day.throttled + day.refused == seen.total()

    polled_until(is_counted)
    day = LiveDay.objects.get(version=version)
    assert (day.requests, day.throttled, day.refused) == (
        seen["passed"], seen["throttled"], seen["quota_exceeded"],
    )  # fmt: skip
    assert day.requests == 100  # the whole quota of the plan `free`
    assert used_by_getusage(version) == 100


def test_the_probe_moves_the_meter_when_nobody_calls(stack: str, version: ApiKeyVersion) -> None:
    before = timezone.now()

    def has_moved() -> bool:
        meter = selectors.live_meter()
        return meter is not None and meter.newest_at >= before.replace(microsecond=0)

    services.live_probe()
    polled_until(has_moved)
    assert not LiveDay.objects.exists()
