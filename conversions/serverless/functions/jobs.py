"""Jobs from their queue: convert uploads again, all presets or some, one upload or many.

A caller's POST /v1/jobs comes from the gateway, which wrote the message: the body as it came, key
id and request id as attributes. The portal's own jobs name their tenant instead, and bring their
presets (backend/work.py). A message may come twice; the same work is then asked for twice, and
writes the same objects. A key that the edge table does not know is new, or was revoked since: the
message returns, and the last time ends among the dead letters, where the portal finds it.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from conversions.serverless.functions import edge, planning, records
from conversions.serverless.functions.clients import client

logger = Logger()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Work on a batch; return which messages failed (ReportBatchItemFailures)."""
    return process_partial_response(event, _job, processor, context)


def _job(record: SQSRecord) -> None:
    if "key" in record.message_attributes:
        _callers_job(record)
    else:
        _portals_job(record)


def _callers_job(record: SQSRecord) -> None:
    job, asked = _attribute(record, "request"), json.loads(record.body)
    tenant = edge.caller(_attribute(record, "key")).tenant
    presets = edge.account(tenant).presets
    wanted: list[str] | None = asked.get("presets")
    chosen = [preset for preset in presets if wanted is None or preset["code"] in wanted]
    unknown = sorted(set(wanted or ()) - {preset["code"] for preset in presets})
    accepted, refused = _planned(tenant, asked["uploads"], chosen)
    records.job_note(
        tenant=tenant,
        job=job,
        outcome={
            "state": "accepted" if accepted else "refused",
            "accepted": accepted,
            "refused": refused,
            "unknown_presets": unknown,
        },
    )
    logger.info("job", extra={"job": job, "accepted": len(accepted), "refused": len(refused)})


def _portals_job(record: SQSRecord) -> None:
    job, asked = _attribute(record, "request"), json.loads(record.body)
    accepted, refused = _planned(_attribute(record, "tenant"), asked["uploads"], asked["recipes"])
    logger.info("job", extra={"job": job, "accepted": len(accepted), "refused": len(refused)})


def _planned(
    tenant: str, uploads: list[str], presets: Sequence[dict[str, Any]]
) -> tuple[list[str], dict[str, str]]:
    """Plan the variants of a tenant's uploads; return which are, and why others are not."""
    accepted, refused = [], {}
    for upload in dict.fromkeys(uploads):
        item = records.upload(tenant=tenant, upload=upload)
        if not item:
            refused[upload] = "You have no upload with this id."
        elif "file_type" not in item:
            refused[upload] = "It was not converted before: its file never came, or was refused."
        else:
            accepted.append(upload)
            _send(planning.plan(source=_source(tenant, upload, item), presets=presets, adds=True))
    return accepted, refused


def _attribute(record: SQSRecord, name: str) -> str:
    """Return what whoever wrote the message says beside its body."""
    attribute = record.message_attributes[name]
    if attribute is None or attribute.string_value is None:
        raise ValueError(f"the message has no {name}")
    return str(attribute.string_value)


def _source(tenant: str, upload: str, item: records.Item) -> dict[str, Any]:
    """Return what the inspection found in a file."""
    found = {name: item[name] for name in (*records.SOURCE, *records.ORIGIN) if name in item}
    return {**found, "tenant": tenant, "upload": upload}


def _send(units: list[planning.Message]) -> None:
    for unit in units:
        client("sqs").send_message(
            QueueUrl=os.environ["WORK_QUEUE"], MessageBody=json.dumps(unit, default=int)
        )
