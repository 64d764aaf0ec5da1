"""The live meter: the stage's access log, added up per key and minute as it is written.

CloudWatch Logs hands over batches of lines, gzipped; a batch may come twice, and every request is
counted once, by its id. Figures are best-effort (a log may lose lines), and nothing is billed from
them; the portal reads them seconds after the calls.

    pk minute#<UTC minute>#<shard>  sk <key id>#<method> <route>   what was called within it
    pk day#<key id>                 sk <UTC day>                   requests that count for the quota
    pk meter                        sk newest                      how far the log has come

Of a minute's item the attributes are counts: `requests` (that count for the quota), `refused` by
type (`throttled`, `quota`, `other`), `client_errors`, `server_errors`, `ms` and `bytes` in sum, and
`ms_<limit>`: how many took at most so many milliseconds (and more than the limit before).
"""

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import CloudWatchLogsEvent
from botocore.exceptions import ClientError

from conversions.serverless.functions.clients import table
from conversions.serverless.functions.counters import Event, Place, add_once

logger = Logger()

SHARDS = 4  # of a minute: a partition of DynamoDB takes 1,000 writes a second
KEEP_SECONDS = 40 * 86_400  # a quota period, and some days
LIMITS_MS = (25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
# The gateway's own refusals, which count for no quota.
REFUSALS = {"THROTTLED": "throttled", "QUOTA_EXCEEDED": "quota", "INVALID_API_KEY": "other"}


def handler(event: dict[str, Any], context: object) -> None:
    """Add a batch of lines up. Raise to have it come again."""
    batch = CloudWatchLogsEvent(event).parse_logs_data()
    lines = [line for each in batch.log_events if (line := _line(each.message)) is not None]
    events = [found for line in lines if (found := _event(line)) is not None]
    name = os.environ["LIVE_TABLE"]
    added = add_once(table=name, events=events, expires=int(time.time()) + KEEP_SECONDS)
    if lines:
        _advance(name, max(int(line["time"]) for line in lines))
    logger.info("metered", extra={"lines": len(batch.log_events), "added": added})


def _line(message: str) -> dict[str, str] | None:
    try:
        line: dict[str, str] = json.loads(message)
        int(line["time"])
    except (ValueError, KeyError, TypeError):
        logger.warning("line dropped")  # not its text: nobody knows what is in it
        return None
    return line


def _event(line: Mapping[str, str]) -> Event | None:
    """What one call adds; nothing where no key of ours came with it. `-` is the log's word for
    what there is not."""
    key = line.get("key", "-")
    if key in ("", "-"):
        return None
    when = datetime.fromtimestamp(int(line["time"]) / 1000, UTC)
    status = int(line["status"]) if line["status"].isdecimal() else 0
    milliseconds = int(line["latency"]) if line["latency"].isdecimal() else 0
    refusal = REFUSALS.get(line.get("error", "-"))
    route = f"{line['method']} {line['path']}"
    counts: dict[Place, dict[str, int]] = {}
    if refusal is None:
        counts[f"day#{key}", when.date().isoformat()] = {"requests": 1}
        added = {"requests": 1, "ms": milliseconds, _bucket(milliseconds): 1}
        if 400 <= status < 500:
            added["client_errors"] = 1
        elif status >= 500:
            added["server_errors"] = 1
    else:
        added = {refusal: 1}
    added["bytes"] = int(line["bytes"]) if line.get("bytes", "-").isdecimal() else 0
    minute = f"{when:%Y-%m-%dT%H:%M}"
    counts[f"minute#{minute}#{crc32(key.encode()) % SHARDS}", f"{key}#{route}"] = added
    return Event(id=line["request"], counts=counts)


def _bucket(milliseconds: int) -> str:
    return f"ms_{next((limit for limit in LIMITS_MS if milliseconds <= limit), LIMITS_MS[-1])}"


def _advance(name: str, newest: int) -> None:
    """Note the time of the newest line, in milliseconds since the epoch."""
    try:
        table(name).update_item(
            Key={"pk": "meter", "sk": "newest"},
            UpdateExpression="SET newest = :newest",
            ConditionExpression="attribute_not_exists(newest) OR newest < :newest",
            ExpressionAttributeValues={":newest": newest},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
