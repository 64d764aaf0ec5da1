"""The live panel: what it shows in which state, to whom, and what its poll brings along."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tenants.live import LiveCounts
from tenants.models import ApiKeyVersion, LiveDay, LiveMeter
from tenants.services import live_record
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db
PAGES = ("/dashboard/", "/usage/")


@pytest.fixture
def alice(cast: Cast, client: Client) -> Client:
    version = ApiKeyVersion.objects.get(api_key__tenant=cast.alice_corp)
    version.gateway_id = "alice-key"
    version.save()
    assert client.login(email="alice@example.com", password=PASSWORD)
    return client


def metered(ago: timedelta = timedelta(), **figures: Any) -> datetime:
    """Have the meter say something that was counted so long ago; return the minute."""
    now = timezone.now() - ago
    minute = now.replace(second=0, microsecond=0)
    counts = [LiveCounts(**{"gateway_id": "alice-key", "minute": minute, "route": "GET /v1/ping",
                            **figures})]  # fmt: skip
    live_record(
        counts=counts if figures else [], newest_at=now, read_to=now, complete_since=now, now=now
    )
    return minute


def live(client: Client, page: str = "/dashboard/live/") -> dict[str, Any]:
    found: dict[str, Any] = client.get(page).context["live"]
    return found


def test_before_the_meter_was_seen_the_page_says_so(alice: Client) -> None:
    for page in PAGES:
        text = alice.get(page).content.decode()
        assert "The live meter has not reported yet" in text
        assert 'data-testid="live-today"' not in text
    assert 'data-testid="used-today"' in alice.get("/dashboard/").content.decode()


def test_a_meter_that_is_behind_says_how_far_it_came_and_shows_no_figures(alice: Client) -> None:
    metered(timedelta(minutes=6), requests=3)
    for page in PAGES:
        text = alice.get(page).content.decode()
        assert "The live meter is behind" in text
        assert 'data-testid="live-today"' not in text


@pytest.mark.parametrize("behind", ["newest_at", "read_to"])
def test_a_stopped_log_and_a_stopped_portal_are_both_behind(alice: Client, behind: str) -> None:
    metered(requests=3)
    assert live(alice)["state"] == "on"
    LiveMeter.objects.update(**{behind: timezone.now() - timedelta(minutes=6)})
    assert live(alice)["state"] == "behind"


def test_without_calls_it_says_how_to_make_one(alice: Client) -> None:
    metered()
    text = alice.get("/dashboard/").content.decode()
    assert "No calls yet in the last hour" in text
    assert "/v1/ping" in text


def test_a_call_is_on_the_page_with_all_that_is_known_of_it(alice: Client) -> None:
    minute = metered(
        requests=100, client_errors=10, server_errors=5, throttled=7, quota_refused=3,
        other_refused=1, latency_ms=4_000, latency_buckets={"25": 50, "100": 45, "1000": 5},
    )  # fmt: skip
    shown = live(alice)
    assert (shown["today"].requests, shown["today"].throttled, shown["today"].refused) == (
        100,
        7,
        4,
    )
    bar = next(each for each in shown["bars"] if each.minute == minute)
    assert (bar.succeeded, bar.client_errors, bar.server_errors, bar.refused) == (85, 10, 5, 11)
    route = shown["routes"][0]
    assert (route.route, route.requests, route.error_percent) == ("GET /v1/ping", 100, 15)
    assert (route.average_ms, route.median_ms, route.p95_ms, route.slowest_ms) == (
        40,
        25,
        100,
        1000,
    )
    chart = shown["chart"]
    assert len(chart["labels"]) == 60
    assert chart["succeeded"][chart["labels"].index(f"{minute:%H:%M}")] == 85
    text = alice.get("/dashboard/").content.decode()
    assert '<data value="100" data-testid="live-today">100</data>' in " ".join(
        text.split()
    ).replace("> 100 <", ">100<")
    assert "/billing/extensions/" in text


def test_the_hour_ends_an_hour_ago_and_the_busiest_route_is_first(alice: Client) -> None:
    metered(timedelta(minutes=61), requests=1, route="GET /old")
    metered(timedelta(minutes=50), requests=2, route="POST /v1/jobs")
    metered(requests=5)
    metered(throttled=9, route="GET /refused")
    shown = live(alice)
    assert [each.route for each in shown["routes"]] == [
        "GET /v1/ping", "POST /v1/jobs", "GET /refused",
    ]  # fmt: skip
    assert "refused every time" in alice.get("/dashboard/").content.decode()


def test_the_poll_brings_figures_and_rows_but_no_page(alice: Client) -> None:
    metered(requests=4)
    text = alice.get("/dashboard/live/", headers={"HX-Request": "true"}).content.decode()
    for part in (
        'id="live-figures"',
        'id="live-minutes" hx-swap-oob',
        'id="live-routes" hx-swap-oob',
    ):
        assert part in text
    assert "<html" not in text
    assert "hx-swap-oob" not in alice.get("/dashboard/").content.decode()


def test_nobody_sees_another_tenants_calls(alice: Client, cast: Cast) -> None:
    metered(requests=4)
    charlie = Client()
    assert charlie.login(email="charlie@example.com", password=PASSWORD)
    shown = live(charlie)
    assert (shown["state"], shown["today"].requests, shown["routes"]) == ("quiet", 0, [])
    assert Client().get("/dashboard/live/").status_code == 302


def test_settled_days_are_compared_on_the_usage_page(alice: Client) -> None:
    version = ApiKeyVersion.objects.get(gateway_id="alice-key")
    yesterday = timezone.now().date() - timedelta(days=1)
    LiveDay.objects.create(
        version=version, day=yesterday, requests=1_015, throttled=0, refused=0, billed=1_000
    )
    LiveDay.objects.create(
        version=version, day=timezone.now().date(), requests=5, throttled=0, refused=0
    )
    asked = {"start": yesterday.isoformat(), "end": timezone.now().date().isoformat()}
    (row,) = alice.get("/usage/", asked).context["comparisons"]
    assert (row.day, row.counted, row.billed, row.difference) == (yesterday, 1_015, 1_000, 15)
    assert "+15" in alice.get("/usage/", asked).content.decode()
    key = {**asked, "key": str(version.api_key.uuid)}
    assert alice.get("/usage/", key).context["comparisons"] == []
