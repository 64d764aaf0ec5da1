"""POST /v1/jobs, from the queue: convert uploads again, all presets or some, one upload or many.

The gateway wrote the message (body as it came, key id and request id as attributes). It may come
twice; the same work is then asked for twice, and writes the same objects. A key that the edge table
does not know is new, or was revoked since: the message returns, and the last time ends among the
dead letters, where the portal finds it.
"""

import json
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from conversions.serverless.functions import edge, records
from conversions.serverless.functions.clients import client

logger = Logger()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Work on a batch; return which messages failed (ReportBatchItemFailures)."""
    return process_partial_response(event, _job, processor, context)


def _job(record: SQSRecord) -> None:
    job, key_id = _attribute(record, "request"), _attribute(record, "key")
    asked = json.loads(record.body)
    who = edge.caller(key_id)
    presets = edge.account(who.tenant).presets
    wanted: list[str] | None = asked.get("presets")
    chosen = [recipe for recipe in presets if wanted is None or recipe.code in wanted]
    unknown = sorted(set(wanted or ()) - {recipe.code for recipe in presets})
    accepted, refused = [], {}
    for upload in dict.fromkeys(asked["uploads"]):
        item = records.upload(tenant=who.tenant, upload=upload)
        if not item:
            refused[upload] = "You have no upload with this id."
        elif "width" not in item:
            refused[upload] = "It was not converted before: its file never came, or was refused."
        else:
            accepted.append(upload)
            _send(who.tenant, upload, item, [recipe.to_mapping() for recipe in chosen])
    records.job_note(
        tenant=who.tenant,
        job=job,
        outcome={
            "state": "accepted" if accepted else "refused",
            "accepted": accepted,
            "refused": refused,
            "unknown_presets": unknown,
        },
    )
    logger.info("job", extra={"job": job, "accepted": len(accepted), "refused": len(refused)})


def _attribute(record: SQSRecord, name: str) -> str:
    """Return what the gateway says of a call, beside its body."""
    attribute = record.message_attributes[name]
    if attribute is None or attribute.string_value is None:
        raise ValueError(f"the message has no {name}")
    return str(attribute.string_value)


def _send(tenant: str, upload: str, item: dict[str, Any], presets: list[dict[str, Any]]) -> None:
    source = {name: item[name] for name in records.SOURCE if name in item}
    work = {
        "source": {**source, **records.about(item), "tenant": tenant, "upload": upload},
        "presets": json.dumps(presets),
        "adds": True,
    }
    client("sqs").send_message(
        QueueUrl=os.environ["WORK_QUEUE"], MessageBody=json.dumps(work, default=int)
    )
