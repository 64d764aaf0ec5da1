"""The live meter's table, read: live_table.py beside the functions says what is in it.

A minute costs a query for each of its shards, which is a read unit where it is empty.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from conversions import backend
from conversions.serverless.functions import live_table
from tenants.live import LiveCounts

BUCKET = "ms_"


@dataclass(frozen=True)
class LiveReach:
    """From when to when the access log goes, as far as it was counted."""

    oldest_at: datetime
    newest_at: datetime


def live_reach() -> LiveReach | None:
    """Return how far the meter has come; None: it has counted nothing yet. Raise BackendError."""
    with backend.errors_of("read the live meter"):
        answer = backend.client("dynamodb").get_item(
            TableName=backend.outputs()["LiveTable"],
            Key={name: {"S": value} for name, value in live_table.REACH.items()},
            ConsistentRead=True,
        )
    if "Item" not in answer:
        return None
    return LiveReach(
        **{
            f"{name}_at": datetime.fromtimestamp(int(answer["Item"][name]["N"]) / 1000, UTC)
            for name in ("oldest", "newest")
        }
    )


def live_read(*, minute: datetime) -> list[LiveCounts]:
    """Return what all keys called within a UTC minute. Raise BackendError."""
    found = []
    with backend.errors_of("read live figures"):
        query = backend.client("dynamodb").get_paginator("query")
        for shard in range(live_table.SHARDS):
            pages = query.paginate(
                TableName=backend.outputs()["LiveTable"],
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={
                    ":pk": {"S": live_table.minute_partition(minute, shard)}
                },
                # Whatever was counted before live_reach() was asked must be in it.
                ConsistentRead=True,
            )
            found += [_counts(minute, item) for page in pages for item in page["Items"]]
    return found


def _counts(minute: datetime, item: dict[str, Any]) -> LiveCounts:
    gateway_id, _, route = item["sk"]["S"].partition("#")
    numbers = {name: int(value["N"]) for name, value in item.items() if "N" in value}
    return LiveCounts(
        gateway_id=gateway_id,
        minute=minute,
        route=route,
        requests=numbers.get("requests", 0),
        client_errors=numbers.get("client_errors", 0),
        server_errors=numbers.get("server_errors", 0),
        throttled=numbers.get("throttled", 0),
        quota_refused=numbers.get("quota", 0),
        other_refused=numbers.get("other", 0),
        latency_ms=numbers.get("ms", 0),
        latency_buckets={
            name.removeprefix(BUCKET): number
            for name, number in numbers.items()
            if name.startswith(BUCKET)
        },
        bytes=numbers.get("bytes", 0),
    )
