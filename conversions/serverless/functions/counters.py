"""Add to counts exactly once, however often an event comes.

A marker for each event is written in the same transaction as what it adds. A transaction that is
cancelled says which markers were there already: those events are left out, and the rest is added.

    pk seen#<id>  sk seen    this event was added; forgotten after two days, when no retry is left
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import uniform
from typing import Any

from botocore.exceptions import ClientError

from conversions.serverless.functions.clients import client

Place = tuple[str, str]  # an item's pk and sk
Counts = Mapping[Place, Mapping[str, int]]  # what to add to which attributes of it

MARKER_SECONDS = 2 * 86_400
MOST_WRITES = 100  # of one TransactWriteItems
# Another writer had one of the items: the same transaction may go through a moment later.
CONFLICTS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
LONGEST_PAUSE = 1.0  # seconds


@dataclass(frozen=True)
class Event:
    """Something that happened once, and what it adds. `id` is unique in its table."""

    id: str
    counts: Counts


def add_once(
    *, table: str, events: Sequence[Event], patience: float, expires: int | None = None
) -> int:
    """Add the events that were not added before; return how many those were.

    What collides is tried again for `patience` seconds: less than the function's time-out, as its
    callers do not call again often. `expires` (seconds since the epoch) is written to the items
    that are counted in, where given.
    Raise ClientError: some events may have been added then, and a repeat adds the others.
    """
    distinct = {event.id: event for event in events}
    deadline = time.monotonic() + patience
    chunks = _chunks(list(distinct.values()))
    return sum(_add(table, list(chunk), expires, deadline) for chunk in chunks)


def _chunks(events: list[Event]) -> Iterator[list[Event]]:
    """Split events so that markers and counts together fit one transaction."""
    chunk: list[Event] = []
    places: set[Place] = set()
    for event in events:
        if chunk and len(chunk) + 1 + len(places | event.counts.keys()) > MOST_WRITES:
            yield chunk
            chunk, places = [], set()
        chunk.append(event)
        places |= event.counts.keys()
    if chunk:
        yield chunk


def _add(table: str, events: list[Event], expires: int | None, deadline: float) -> int:
    longest = 0.08
    while events:
        try:
            client("dynamodb").transact_write_items(TransactItems=_writes(table, events, expires))
        except ClientError as error:
            codes = [reason["Code"] for reason in error.response.get("CancellationReasons", ())]
            seen = codes[: len(events)]
            if "ConditionalCheckFailed" in seen:
                events = [
                    event
                    for event, code in zip(events, seen, strict=True)
                    if code != "ConditionalCheckFailed"
                ]
                continue
            # Each waits for a time of its own, so that one of them gets through.
            pause = uniform(0, longest)  # noqa: S311
            if not CONFLICTS & set(codes) or time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            longest = min(2 * longest, LONGEST_PAUSE)
        else:
            break
    return len(events)


def _writes(table: str, events: list[Event], expires: int | None) -> list[dict[str, Any]]:
    """Say what one transaction does: the markers first, in the order of the events."""
    forget = str(int(time.time()) + MARKER_SECONDS)
    markers = [
        {
            "Put": {
                "TableName": table,
                "Item": {
                    "pk": {"S": f"seen#{event.id}"},
                    "sk": {"S": "seen"},
                    "expires": {"N": forget},
                },
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for event in events
    ]
    totals: dict[Place, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in events:
        for place, added in event.counts.items():
            for name, number in added.items():
                totals[place][name] += number
    return markers + [_addition(table, *place, added, expires) for place, added in totals.items()]


def _addition(
    table: str, pk: str, sk: str, added: Mapping[str, int], expires: int | None
) -> dict[str, Any]:
    names = {f"#{number}": name for number, name in enumerate(added)}
    values: dict[str, Any] = {f":{n}": {"N": str(value)} for n, value in enumerate(added.values())}
    update = "ADD " + ", ".join(f"{mark} :{mark[1:]}" for mark in names)
    if expires is not None:
        update = f"SET expires = :expires {update}"
        values[":expires"] = {"N": str(expires)}
    return {
        "Update": {
            "TableName": table,
            "Key": {"pk": {"S": pk}, "sk": {"S": sk}},
            "UpdateExpression": update,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }
