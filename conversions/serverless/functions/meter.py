"""The live meter: the stage's access log, added up per key and minute as it is written.

CloudWatch Logs hands over batches of lines, gzipped; a batch may come twice, and every call is
counted once, by the gateway's own id. Figures are best-effort (a log may lose lines), and nothing
is billed from them; the portal reads them seconds after the calls. live_table.py says where they
are.
"""

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import CloudWatchLogsEvent
from botocore.exceptions import ClientError

from conversions.serverless.functions import live_table
from conversions.serverless.functions.clients import table
from conversions.serverless.functions.counters import Event, Place, add_once

logger = Logger()

PATIENCE_SECONDS = 45  # of the function's 60
KEEP_SECONDS = 40 * 86_400  # a quota period, and some days
LIMITS_MS = (25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
# The gateway's own refusals, which count for no quota.
REFUSALS = {"THROTTLED": "throttled", "QUOTA_EXCEEDED": "quota", "INVALID_API_KEY": "other"}


def handler(event: dict[str, Any], context: object) -> None:
    """Add a batch of lines up. Raise to have it come again, twice; then it is put by in a queue."""
    batch = CloudWatchLogsEvent(event).parse_logs_data()
    calls = [call for each in batch.log_events if (call := _call(each.message)) is not None]
    name = os.environ["LIVE_TABLE"]
    added = add_once(
        table=name,
        events=[Event(id=call.id, counts=_counts(call)) for call in calls if call.key],
        patience=PATIENCE_SECONDS,
        expires=int(time.time()) + KEEP_SECONDS,
    )
    if calls:
        times = [call.milliseconds for call in calls]
        _advance(name, oldest=min(times), newest=max(times))
    extra = {"lines": len(batch.log_events), "dropped": len(batch.log_events) - len(calls)}
    logger.info("metered", extra={**extra, "added": added})


@dataclass(frozen=True)
class Call:
    """A line of the log. `key` is empty where no key of ours came with the call."""

    id: str
    milliseconds: int  # since the epoch
    key: str
    route: str
    status: int
    latency: int
    bytes: int
    refusal: str | None

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.milliseconds / 1000, UTC)


def _call(message: str) -> Call | None:
    """Read a line; None where it is none of ours. Its text is logged nowhere: it may be anything.

    `-` is the log's word for what there is not.
    """
    try:
        line = {name: str(value) for name, value in json.loads(message).items()}
        call = Call(
            id=line["id"],
            milliseconds=int(line["time"]),
            key="" if line["key"] == "-" else line["key"],
            route=f"{line['method']} {line['path']}",
            status=_number(line["status"]),
            latency=_number(line["latency"]),
            bytes=_number(line["bytes"]),
            refusal=REFUSALS.get(line["error"]),
        )
        is_whole = call.id not in ("", "-") and call.at.year > 2000
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        return None
    return call if is_whole else None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _counts(call: Call) -> dict[Place, dict[str, int]]:
    """Say what one call adds to what."""
    counts: dict[Place, dict[str, int]] = {}
    if call.refusal is None:
        counts[f"day#{call.key}", call.at.date().isoformat()] = {"requests": 1}
        added = {"requests": 1, "ms": call.latency, _bucket(call.latency): 1}
        if 400 <= call.status < 500:
            added["client_errors"] = 1
        elif call.status >= 500:
            added["server_errors"] = 1
    else:
        added = {call.refusal: 1}
    added["bytes"] = call.bytes
    partition = live_table.minute_partition(call.at, live_table.shard_of(call.key))
    counts[partition, f"{call.key}#{call.route}"] = added
    return counts


def _bucket(milliseconds: int) -> str:
    return f"ms_{next((limit for limit in LIMITS_MS if milliseconds <= limit), LIMITS_MS[-1])}"


def _advance(name: str, *, oldest: int, newest: int) -> None:
    """Note the time of the newest line, and once that of the first, in ms since the epoch."""
    try:
        table(name).update_item(
            Key=live_table.REACH,
            UpdateExpression="SET newest = :newest, oldest = if_not_exists(oldest, :oldest)",
            ConditionExpression="attribute_not_exists(newest) OR newest < :newest",
            ExpressionAttributeValues={":newest": newest, ":oldest": oldest},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
