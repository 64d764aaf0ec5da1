"""The live meter counts every call once, in a real table, whatever its batches are like."""

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.conf import settings

from conversions import backend
from conversions.serverless.functions import clients, live_table, meter
from conversions.serverless.functions.counters import Event, add_once
from tests.conversions.access_log import AT, batch, line
from tests.conversions.conftest import PATIENCE

pytestmark = pytest.mark.usefixtures("meter_table")
Item = dict[str, int]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the function logs."""
    out = io.StringIO()
    monkeypatch.setattr(meter.logger.registered_handler, "stream", out)
    level = meter.logger.log_level
    meter.logger.setLevel("INFO")
    yield out
    meter.logger.setLevel(level)


def counted(meter_table: str, key_id: str) -> dict[str, Item]:
    """Return what the minutes have of a key, by minute and route."""
    found = {}
    for item in clients.table(meter_table).scan(ConsistentRead=True)["Items"]:
        kind, _, minute = item.pop("pk").partition("#")
        of, _, route = item.pop("sk").partition("#")
        if kind == "minute" and of == key_id:
            assert item.pop("expires") > datetime.now(UTC).timestamp()
            found[f"{minute.split('#')[0]} {route}"] = {k: int(v) for k, v in item.items()}
    return found


def day(meter_table: str, key_id: str, on: str = "2026-03-10") -> int:
    found = clients.table(meter_table).get_item(
        Key={"pk": f"day#{key_id}", "sk": on}, ConsistentRead=True
    )
    return int(found["Item"]["requests"]) if "Item" in found else 0


def newest(meter_table: str) -> int:
    found = clients.table(meter_table).get_item(Key=live_table.REACH, ConsistentRead=True)
    return int(found["Item"]["newest"])


def test_calls_are_added_up_by_minute_route_and_outcome(meter_table: str, key_id: str) -> None:
    next_minute = AT.replace(minute=1)
    meter.handler(
        batch(
            line(key_id),
            line(key_id, latency="26", status="404", bytes="50"),
            line(key_id, latency="40000", status="500"),
            line(key_id, error="INTEGRATION_TIMEOUT", status="504", latency="29000"),
            line(key_id, error="THROTTLED", status="429"),
            line(key_id, error="QUOTA_EXCEEDED", status="429"),
            line(key_id, error="INVALID_API_KEY", status="403"),
            line(key_id, at=next_minute, method="POST", path="/v1/jobs"),
            line(key_id, status="-", latency="-", bytes="-", path="/v1/uploads/{id}"),
        ),
        None,
    )
    assert counted(meter_table, key_id) == {
        "2026-03-10T12:00 GET /v1/ping": {
            "requests": 4, "client_errors": 1, "server_errors": 2, "throttled": 1, "quota": 1,
            "other": 1, "ms": 69038, "ms_25": 1, "ms_50": 1, "ms_30000": 2, "bytes": 650,
        },
        "2026-03-10T12:01 POST /v1/jobs": {"requests": 1, "ms": 12, "ms_25": 1, "bytes": 100},
        "2026-03-10T12:00 GET /v1/uploads/{id}": {"requests": 1, "ms": 0, "ms_25": 1, "bytes": 0},
    }  # fmt: skip
    assert day(meter_table, key_id) == 6


def test_a_batch_that_comes_again_adds_nothing(meter_table: str, key_id: str) -> None:
    first, second, third = (line(key_id) for _ in range(3))
    for lines in ((first, second), (first, second), (second, third), (third, third)):
        meter.handler(batch(*lines), None)
    assert day(meter_table, key_id) == 3
    assert counted(meter_table, key_id)["2026-03-10T12:00 GET /v1/ping"]["requests"] == 3


def test_a_caller_cannot_hide_calls_behind_one_request_id(meter_table: str, key_id: str) -> None:
    meter.handler(batch(*(line(key_id, request="chosen-by-the-caller") for _ in range(3))), None)
    assert day(meter_table, key_id) == 3


def test_a_large_batch_is_added_in_pieces_that_fit_a_transaction(
    meter_table: str, key_id: str
) -> None:
    lines = [line(key_id, path=f"/v1/{number % 70}") for number in range(250)]
    meter.handler(batch(*lines[:120]), None)
    meter.handler(batch(*lines), None)
    assert day(meter_table, key_id) == 250
    assert len(counted(meter_table, key_id)) == 70
    assert sum(each["requests"] for each in counted(meter_table, key_id).values()) == 250


def test_two_at_once_add_what_both_have_only_once(meter_table: str, key_id: str) -> None:
    lines = [line(key_id) for _ in range(90)]
    writers = [
        threading.Thread(target=meter.handler, args=(batch(*part), None))
        for part in (lines[:60], lines[30:], lines[::2], lines[::-1])
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert day(meter_table, key_id) == 90
    assert counted(meter_table, key_id)["2026-03-10T12:00 GET /v1/ping"]["ms"] == 90 * 12


@pytest.mark.parametrize(
    "bad",
    [
        "no json", "[]", "7", "null", '"a text"', "{}",
        {"time": "-"}, {"time": "9" * 30}, {"time": "-9e9"}, {"time": "0"},
        {"id": "-"}, {"id": ""},
    ],
)  # fmt: skip
def test_what_is_no_line_of_ours_holds_up_no_other(
    meter_table: str, key_id: str, said: io.StringIO, bad: str | dict[str, str]
) -> None:
    lines = (line(key_id), bad if isinstance(bad, str) else {**line(key_id), **bad}, line(key_id))
    meter.handler(batch(*lines), None)
    assert day(meter_table, key_id) == 2
    told = json.loads(said.getvalue())
    assert (told["lines"], told["dropped"], told["added"]) == (3, 1, 2)


def test_numbers_that_are_not_quoted_are_read_as_well(meter_table: str, key_id: str) -> None:
    quoted = line(key_id)
    meter.handler(
        batch({**quoted, "time": int(quoted["time"]), "status": 502, "latency": 7, "bytes": 1}),
        None,
    )
    minute = counted(meter_table, key_id)["2026-03-10T12:00 GET /v1/ping"]
    assert (minute["server_errors"], minute["ms"], minute["bytes"]) == (1, 7, 1)


def test_calls_without_a_key_only_tell_how_far_the_log_has_come(meter_table: str) -> None:
    clients.table(meter_table).delete_item(Key=live_table.REACH)
    later = datetime(2026, 3, 11, tzinfo=UTC)
    meter.handler(batch(line("-", at=later), line("", at=later)), None)
    assert newest(meter_table) == later.timestamp() * 1000
    assert (day(meter_table, "", "2026-03-11"), day(meter_table, "-", "2026-03-11")) == (0, 0)


def test_the_newest_line_never_goes_back(meter_table: str, key_id: str) -> None:
    clients.table(meter_table).delete_item(Key=live_table.REACH)
    later = datetime(2026, 3, 12, tzinfo=UTC)
    for at in (later, AT):
        meter.handler(batch(line(key_id, at=at)), None)
        assert newest(meter_table) == later.timestamp() * 1000
    meter.handler(batch(), None)
    assert newest(meter_table) == later.timestamp() * 1000


def test_what_is_logged_has_nothing_of_a_line(key_id: str, said: io.StringIO) -> None:
    secret = "a-keys-value-that-came-into-the-log"
    meter.handler(batch(line(key_id, surprise=secret), f"{{{secret}", secret), None)
    assert "metered" in said.getvalue()
    assert secret not in said.getvalue()


def test_a_table_that_is_away_has_the_batch_come_again(
    meter_table: str, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = batch(line(key_id))
    with monkeypatch.context() as away:
        away.setenv("LIVE_TABLE", "not-there")
        with pytest.raises(ClientError):
            meter.handler(lines, None)
    meter.handler(lines, None)
    assert day(meter_table, key_id) == 1


def test_a_transaction_that_collides_is_tried_again_and_not_for_ever(
    meter_table: str, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local DynamoDB never collides, so this answer is written here as AWS gives it."""
    collision = ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "…"},
            "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
        },
        "TransactWriteItems",
    )
    real = clients.client("dynamodb").transact_write_items
    left = [3]

    def collide(**request: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise collision
        return real(**request)

    monkeypatch.setattr(clients.client("dynamodb"), "transact_write_items", collide)
    events = [
        Event(id=f"{key_id}-collides", counts={(f"day#{key_id}", "2026-03-10"): {"requests": 1}})
    ]
    assert add_once(table=meter_table, events=events, patience=60) == 1
    assert day(meter_table, key_id) == 1
    left[0] = 1_000_000
    other = [Event(id=f"{key_id}-collides-on", counts=events[0].counts)]
    with pytest.raises(ClientError):
        add_once(table=meter_table, events=other, patience=0.1)
    assert day(meter_table, key_id) == 1


def test_a_batch_that_cannot_be_counted_is_put_by(key_id: str) -> None:
    function = f"{settings.BACKEND_STACK_NAME}-meter"
    invoked = backend.client("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=b'{"awslogs": {"data": "none"}}'
    )
    assert invoked["StatusCode"] == 202
    looks = (
        backend.results_receive(queue="UnmeteredQueue", wait_seconds=1) for _ in range(PATIENCE)
    )
    put_by = next(look for look in looks if look)
    assert put_by[0].body["requestPayload"] == {"awslogs": {"data": "none"}}
    backend.result_delete(result=put_by[0])
