"""What the meter counted comes into our rows: again and again, late, and after a time away."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.conf import settings
from django.db import models
from django.test import override_settings

from conversions import backend, services
from conversions.backend.live import live_reach, live_read
from conversions.serverless.functions import clients, live_table, meter
from conversions.services.live import LAST, LATE, MOST, _late
from tenants import selectors
from tenants.models import ApiKeyVersion, LiveDay, LiveMeter, LiveMinute
from tests.cast import Cast
from tests.conversions.access_log import batch, line
from tests.env import NOBODY

NOON = datetime(2026, 4, 10, 12, 0, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(cast: Cast, key_id: str, meter_table: str) -> ApiKeyVersion:
    """Alice's key, as if the gateway had it; the meter has counted nothing yet."""
    clients.table(meter_table).delete_item(Key=live_table.REACH)
    version = ApiKeyVersion.objects.get(api_key__tenant=cast.alice_corp)
    version.gateway_id = key_id
    version.save()
    return version


def count(version: ApiKeyVersion, at: datetime, calls: int = 1) -> None:
    meter.handler(batch(*(line(version.gateway_id, at=at) for _ in range(calls))), None)


def poll(now: datetime) -> int:
    return services.live_poll(now=now)


def requests() -> int:
    return LiveMinute.objects.aggregate(all=models.Sum("requests"))["all"] or 0


def come_to() -> datetime:
    found = selectors.live_meter()
    assert found is not None
    return found.come_to


def test_a_poll_brings_what_was_counted_until_now(version: ApiKeyVersion, key_id: str) -> None:
    lines = [
        line(key_id, at=NOON), line(key_id, at=NOON, status="404", latency="70"),
        line(key_id, at=NOON, status="500", latency="30"), line(key_id, at=NOON, error="THROTTLED"),
        line(key_id, at=NOON, error="QUOTA_EXCEEDED"),
        line(key_id, at=NOON, error="INVALID_API_KEY"),
        line("another-portals-key", at=NOON),
    ]  # fmt: skip
    meter.handler(batch(*lines), None)
    assert poll(NOON) == 1
    row = LiveMinute.objects.get()
    assert (row.version, row.route, row.minute) == (version, "GET /v1/ping", NOON.replace(second=0))
    assert (row.requests, row.client_errors, row.server_errors) == (3, 1, 1)
    assert (row.throttled, row.quota_refused, row.other_refused) == (1, 1, 1)
    assert (row.latency_ms, row.latency_buckets) == (112, {"25": 1, "50": 1, "100": 1})
    assert row.bytes == 600
    assert poll(NOON) == 0
    count(version, NOON)
    assert poll(NOON) == 1
    assert LiveDay.objects.get().requests == 4


def test_before_anything_was_counted_nothing_is_written(version: ApiKeyVersion) -> None:
    assert poll(NOON) == 0
    assert not LiveMeter.objects.exists()


def test_the_first_poll_of_all_begins_with_the_log(version: ApiKeyVersion) -> None:
    count(version, NOON - MINUTE * 10)
    count(version, NOON)
    poll(NOON)
    assert requests() == 2
    assert come_to() == NOON


def test_the_first_poll_of_all_goes_back_no_further_than_midnight(version: ApiKeyVersion) -> None:
    midnight = NOON.replace(hour=0, minute=0, second=0)
    for at in (midnight - MINUTE, midnight, NOON):
        count(version, at)
    poll(NOON)
    assert LiveMinute.objects.earliest("minute").minute == midnight
    assert come_to() == midnight + MINUTE * MOST


def test_late_lines_are_found_within_a_round(version: ApiKeyVersion) -> None:
    count(version, NOON)
    poll(NOON)
    count(version, NOON - MINUTE * 30)
    for turn in range(1, LATE + 1):
        poll(NOON + timedelta(seconds=settings.LIVE_POLL_SECONDS) * turn)
        if requests() == 2:
            return
    pytest.fail("The late line was not found.")


@pytest.mark.parametrize("seconds", [1, 2, 5, 10, 15, 30, 60])
def test_every_older_minute_has_its_turn_whatever_the_rhythm(seconds: int) -> None:
    read = {_late(NOON + timedelta(seconds=seconds * turn)) for turn in range(LATE)}
    end = NOON.replace(second=0) + timedelta(seconds=seconds * LATE)
    stayed = {end - MINUTE * ago for ago in range(LAST, LAST + LATE)}
    stayed &= {NOON.replace(second=0) - MINUTE * ago for ago in range(LAST, LAST + LATE)}
    assert stayed <= read


def test_after_a_time_away_it_catches_up_a_piece_at_a_time(version: ApiKeyVersion) -> None:
    count(version, NOON)
    poll(NOON)
    back = NOON + MINUTE * (MOST + 30)
    for away in range(-1, MOST + 31):  # what was under way when the portal went, too
        count(version, NOON + MINUTE * away)
    poll(back)
    # The last minutes are shown already; that all before them are there is not said yet.
    assert LiveMinute.objects.filter(minute=back.replace(second=0)).exists()
    assert come_to() == NOON.replace(second=0) + MINUTE * (MOST - LAST + 1)
    poll(back)
    assert come_to() == back
    assert requests() == MOST + 33


def test_a_quiet_meter_is_no_reason_to_read_the_same_minutes_for_ever(
    version: ApiKeyVersion,
) -> None:
    count(version, NOON)
    poll(NOON)
    later = NOON + MINUTE * (MOST + 30)
    for _piece in range(2):
        poll(later)
    meter_row = LiveMeter.objects.get()
    assert (meter_row.newest_at, meter_row.read_to) == (NOON, later)
    assert selectors.live_as_of() == NOON - timedelta(seconds=settings.LIVE_MARGIN_SECONDS)


def test_what_a_meter_that_stood_still_counts_afterwards_is_read(version: ApiKeyVersion) -> None:
    count(version, NOON)
    for minutes in range(0, 120, 30):
        poll(NOON + MINUTE * minutes)  # nothing new: the function is broken
    later = NOON + timedelta(hours=2)
    for minutes in range(0, 121, 20):  # and then works on all that it has missed
        count(version, NOON + MINUTE * minutes)
    poll(later)
    assert come_to() < NOON + timedelta(hours=1, minutes=1)  # a piece at a time
    for _piece in range(3):
        poll(later)
    assert (come_to(), requests()) == (later, 8)
    assert LiveMeter.objects.get().complete_since == NOON


def test_more_than_a_portal_keeps_is_not_caught_up_and_noted(version: ApiKeyVersion) -> None:
    count(version, NOON)
    poll(NOON)
    later = NOON + timedelta(days=30)
    count(version, later)
    poll(later)
    assert come_to() > later - timedelta(days=3)
    assert LiveMeter.objects.get().complete_since > later - timedelta(days=3)


def test_another_table_has_not_counted_what_came_before_it(
    version: ApiKeyVersion, meter_table: str
) -> None:
    count(version, NOON)
    poll(NOON)
    assert LiveMeter.objects.get().complete_since == NOON
    clients.table(meter_table).delete_item(Key=live_table.REACH)
    later = NOON + MINUTE
    count(version, later)
    poll(later)
    assert LiveMeter.objects.get().complete_since == later


def test_a_line_from_the_future_does_not_run_ahead_of_the_clock(version: ApiKeyVersion) -> None:
    count(version, NOON + timedelta(days=1))
    poll(NOON)
    assert LiveMeter.objects.get().newest_at == NOON


def test_a_minute_of_many_keys_is_read_page_by_page(meter_table: str) -> None:
    minute = datetime(2026, 4, 11, tzinfo=UTC)
    table = clients.table(meter_table)
    with table.batch_writer() as writer:
        for number in range(1_500):  # 1.3 MB; a page of DynamoDB's is 1 MB
            sk = f"key-{number}#GET /{'x' * 900}"
            partition = live_table.minute_partition(minute, number % 2)
            writer.put_item(Item={"pk": partition, "sk": sk, "requests": number})
    read = live_read(minute=minute)
    assert {each.gateway_id: each.requests for each in read} == {
        f"key-{number}": number for number in range(1_500)
    }


def test_a_backend_that_is_away_is_an_error_of_ours(storage_away: None) -> None:
    with pytest.raises(backend.BackendUnavailable):
        live_reach()


def test_the_probe_needs_no_key_and_says_when_it_fails(
    stack: str, caplog: pytest.LogCaptureFixture
) -> None:
    services.live_probe()
    assert "live.probe_failed" not in caplog.text
    with override_settings(API_BASE_URL=NOBODY):
        services.live_probe()
    assert "live.probe_failed" in caplog.text
    with httpx.Client() as client:
        assert client.options(f"{stack}/v1/ping").status_code == 204
