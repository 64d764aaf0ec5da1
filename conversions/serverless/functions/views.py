"""POST /v1/events, from the stream: how often variants were delivered, by upload, preset and day.

The gateway wrote the record (body as it came; key id and request id are the partition key, which
also spreads a tenant over the shards). A batch may come twice, whole or in part: every request is
added once, and the portal is told totals, which it can be told again.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import (
    KinesisStreamRecord,
)

from conversions.serverless.functions import edge, records
from conversions.serverless.functions.clients import client
from conversions.serverless.functions.counters import Event, add_once

logger = Logger()
MOST_READ = 100  # items of one BatchGetItem
PATIENCE_SECONDS = 20  # of the function's 30
PUBLISHED_SECONDS = 120  # after so long, a key that is not known was revoked, rather than new
Place = tuple[str, str]  # pk and sk of a count: a tenant, and views#<upload>#<preset>#<day>


def handler(event: dict[str, Any], context: object) -> None:
    """Add a batch up, and report the totals of what it touched. Raise to have it come again."""
    events = [found for record in KinesisStreamEvent(event).records if (found := _event(record))]
    added = add_once(table=os.environ["UPLOADS_TABLE"], events=events, patience=PATIENCE_SECONDS)
    places = {place for each in events for place in each.counts}
    _report(sorted(places))
    logger.info("views", extra={"calls": len(events), "added": added, "counts": len(places)})


def _event(record: KinesisStreamRecord) -> Event | None:
    key_id, _, request = record.kinesis.partition_key.partition("/")
    arrived = float(record.kinesis.approximate_arrival_timestamp)
    try:
        tenant = edge.caller(key_id).tenant
        body = json.loads(record.kinesis.data_as_bytes())
        counts: dict[Place, dict[str, int]] = defaultdict(lambda: {"views": 0})
        day = datetime.fromtimestamp(arrived, UTC).date().isoformat()
        for upload, preset, number in _deliveries(body):
            counts[tenant, f"views#{upload}#{preset}#{day}"]["views"] += number
    except (edge.NotPublished, ValueError, KeyError, TypeError) as error:
        if isinstance(error, edge.NotPublished) and time.time() - arrived < PUBLISHED_SECONDS:
            raise
        # It would stop its shard for a day, were it tried again.
        logger.exception("record dropped", extra={"request_id": request})
        return None
    return Event(id=request, counts=dict(counts))


def _deliveries(body: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    for delivery in body["events"]:
        yield str(delivery["upload"]), str(delivery["preset"]), int(delivery.get("count", 1))


def _report(places: list[Place]) -> None:
    """Tell the portal the totals of these places."""
    totals = [(place, total) for chunk in _chunks(places) for place, total in _totals(chunk)]
    records.report_all(
        [
            {
                "kind": "views",
                "tenant": tenant,
                "upload": upload,
                "preset": preset,
                "day": day,
                "views": total,
            }
            for (tenant, sk), total in totals
            for _, upload, preset, day in [sk.split("#")]
        ]
    )


def _chunks(places: list[Place]) -> Iterator[list[Place]]:
    for start in range(0, len(places), MOST_READ):
        yield places[start : start + MOST_READ]


def _totals(places: list[Place]) -> Iterator[tuple[Place, int]]:
    """Yield what each place has; DynamoDB may leave some of them for another call."""
    name = os.environ["UPLOADS_TABLE"]
    keys = [{"pk": {"S": tenant}, "sk": {"S": sk}} for tenant, sk in places]
    asked = {name: {"Keys": keys, "ConsistentRead": True}}
    while asked:
        answer = client("dynamodb").batch_get_item(RequestItems=asked)
        for item in answer["Responses"].get(name, []):
            yield (item["pk"]["S"], item["sk"]["S"]), int(item["views"]["N"])
        asked = answer["UnprocessedKeys"]
