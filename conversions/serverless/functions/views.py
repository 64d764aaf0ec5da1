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
from conversions.serverless.functions.clients import table
from conversions.serverless.functions.counters import Event, add_once

logger = Logger()
PATIENCE_SECONDS = 20  # of the function's 30
PUBLISHED_SECONDS = 120  # after so long, a key that is not known was revoked, rather than new
Place = tuple[str, str]  # pk and sk of a count: a tenant, and views#<upload>#<preset>#<day>


def handler(event: dict[str, Any], context: object) -> None:
    """Add a batch up, and report the totals of what it touched. Raise to have it come again."""
    events = [found for record in KinesisStreamEvent(event).records if (found := _event(record))]
    added = add_once(table=os.environ["UPLOADS_TABLE"], events=events, patience=PATIENCE_SECONDS)
    places = {place for each in events for place in each.counts}
    for tenant, sk in sorted(places):
        _report(tenant, sk)
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


def _report(tenant: str, sk: str) -> None:
    answer = table(os.environ["UPLOADS_TABLE"]).get_item(
        Key={"pk": tenant, "sk": sk}, ConsistentRead=True
    )
    _, upload, preset, day = sk.split("#")
    views = int(answer["Item"]["views"])
    records.report(
        {
            "kind": "views",
            "tenant": tenant,
            "upload": upload,
            "preset": preset,
            "day": day,
            "views": views,
        }
    )
