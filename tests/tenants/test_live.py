"""Live figures in our rows are exact, whatever comes twice, late, or from two at once."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from tenants import selectors
from tenants.live import LiveCounts
from tenants.models import ApiKeyVersion, LiveDay, LiveMeter, LiveMinute
from tenants.services import live_record
from tenants.services.live import DAYS_KEPT, MINUTES_KEPT, live_prune
from tests.cast import Cast

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def version(cast: Cast) -> ApiKeyVersion:
    return named(ApiKeyVersion.objects.get(api_key__tenant=cast.alice_corp), "alice-key")


@pytest.fixture
def other(cast: Cast) -> ApiKeyVersion:
    return named(ApiKeyVersion.objects.get(api_key__tenant=cast.charlie_corp), "charlie-key")


def named(version: ApiKeyVersion, gateway_id: str) -> ApiKeyVersion:
    version.gateway_id = gateway_id
    version.save()
    return version


def counts(minute: datetime = NOON, key: str = "alice-key", **figures: Any) -> LiveCounts:
    return LiveCounts(**{"gateway_id": key, "minute": minute, "route": "GET /v1/ping", **figures})


def record(*read: LiveCounts, now: datetime = NOON) -> int:
    return live_record(counts=read, newest_at=now, read_to=now, complete_since=now, now=now)


def used(version: ApiKeyVersion, since: datetime) -> int:
    return selectors.live_used(versions=[version.pk], since=since)[version.pk]


def test_minutes_are_kept_as_they_were_read(version: ApiKeyVersion) -> None:
    read = counts(
        requests=4, client_errors=1, server_errors=2, throttled=5, quota_refused=6,
        other_refused=7, latency_ms=90, latency_buckets={"25": 3, "50": 1}, bytes=800,
    )  # fmt: skip
    assert record(read) == 1
    row = LiveMinute.objects.get()
    assert (row.version, row.minute, row.route) == (version, NOON, "GET /v1/ping")
    assert (row.requests, row.client_errors, row.server_errors) == (4, 1, 2)
    assert (row.throttled, row.quota_refused, row.other_refused) == (5, 6, 7)
    assert (row.latency_ms, row.latency_buckets, row.bytes) == (90, {"25": 3, "50": 1}, 800)
    day = LiveDay.objects.get()
    assert (day.day, day.requests, day.throttled, day.refused) == (date(2026, 3, 10), 4, 5, 13)


def test_what_comes_again_adds_nothing_and_what_comes_late_takes_nothing_away(
    version: ApiKeyVersion,
) -> None:
    assert record(counts(requests=4)) == 1
    assert record(counts(requests=4)) == 0
    assert record(counts(requests=6, throttled=1)) == 1
    assert record(counts(requests=4)) == 0
    assert LiveMinute.objects.get().requests == 6
    day = LiveDay.objects.get()
    assert (day.requests, day.throttled) == (6, 1)


def test_of_one_minute_read_twice_the_fuller_reading_counts(version: ApiKeyVersion) -> None:
    record(counts(requests=3), counts(requests=5), counts(requests=4))
    assert LiveMinute.objects.get().requests == 5
    assert LiveDay.objects.get().requests == 5


def test_a_days_minutes_routes_and_versions_add_up_apart(
    version: ApiKeyVersion, other: ApiKeyVersion
) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    record(
        counts(requests=1),
        counts(requests=2, route="POST /v1/jobs"),
        counts(requests=4, minute=midnight - timedelta(minutes=1)),
        counts(requests=8, minute=midnight),
        counts(requests=16, key="charlie-key"),
    )
    days = {(row.version_id, row.day.day): row.requests for row in LiveDay.objects.all()}
    assert days == {(version.pk, 9): 4, (version.pk, 10): 11, (other.pk, 10): 16}


def test_keys_that_are_not_ours_are_left_out(version: ApiKeyVersion) -> None:
    assert record(counts(requests=1), counts(requests=9, key="somebody-elses")) == 1
    assert LiveMinute.objects.get().version == version


def test_used_since_counts_the_whole_minute_and_no_refusal(
    version: ApiKeyVersion, other: ApiKeyVersion
) -> None:
    now = NOON + timedelta(days=2)
    for read in (
        counts(requests=1, minute=NOON - timedelta(minutes=1)),
        counts(requests=2, minute=NOON, throttled=50, quota_refused=50),
        counts(requests=4, minute=datetime(2026, 3, 10, 23, 59, tzinfo=UTC)),
        counts(requests=8, minute=datetime(2026, 3, 11, tzinfo=UTC)),
        counts(requests=16, minute=now),
    ):
        record(read, now=now)
    assert used(version, NOON + timedelta(seconds=59)) == 30
    assert used(version, NOON - timedelta(seconds=1)) == 31
    assert used(version, datetime(2026, 3, 11, 0, 0, 59, tzinfo=UTC)) == 24
    assert used(version, now + timedelta(minutes=1)) == 0
    both = selectors.live_used(versions=[version.pk, other.pk], since=NOON)
    assert both == {version.pk: 30, other.pk: 0}


def test_days_outlive_their_minutes_and_then_count_as_a_whole(version: ApiKeyVersion) -> None:
    record(counts(requests=1), counts(requests=2, minute=NOON + timedelta(hours=1)))
    assert live_prune(now=NOON + MINUTES_KEPT) == 0
    assert live_prune(now=NOON + MINUTES_KEPT + timedelta(days=1)) == 2
    assert not LiveMinute.objects.exists()
    assert used(version, NOON + timedelta(hours=1)) == 3
    assert live_prune(now=NOON + DAYS_KEPT + timedelta(days=1)) == 1
    assert used(version, NOON) == 0


def test_a_minute_that_was_pruned_is_not_taken_again(version: ApiKeyVersion) -> None:
    record(counts(requests=1))
    later = NOON + MINUTES_KEPT + timedelta(days=1)
    live_prune(now=later)
    assert record(counts(requests=1), now=later) == 0
    assert LiveDay.objects.get().requests == 1


@pytest.mark.parametrize("behind", ["newest_at", "read_to"])
def test_the_figures_are_as_of_what_is_further_behind_less_the_margin(behind: str) -> None:
    assert selectors.live_as_of() is None
    moments = {"newest_at": NOON, "read_to": NOON, behind: NOON - timedelta(minutes=3)}
    live_record(counts=[], complete_since=NOON, now=NOON, **moments)
    with override_settings(LIVE_MARGIN_SECONDS=60):
        assert selectors.live_as_of() == NOON - timedelta(minutes=4)


def test_the_meter_never_goes_back() -> None:
    record(now=NOON)
    record(now=NOON - timedelta(minutes=1))
    assert LiveMeter.objects.get().come_to == NOON


@pytest.mark.django_db(transaction=True)
def test_two_who_record_the_same_count_it_once(version: ApiKeyVersion) -> None:
    def repeat(first: int) -> None:
        try:
            for requests in range(first, 20, 2):
                record(counts(requests=requests), counts(requests=1, route=f"GET /{requests}"))
        finally:
            connection.close()

    at_once(lambda: repeat(0), lambda: repeat(1))
    assert LiveMinute.objects.get(route="GET /v1/ping").requests == 19
    assert LiveDay.objects.get().requests == 19 + 20


def at_once(*work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
