"""What is known of each upload and job, in the uploads table, for whoever asks by the API.

One item an upload, under its tenant, so that a stranger's is not found:

    pk <tenant>  sk upload#<id>   file name, what its bytes are, which presets were asked for, which
                                  variants are expected and which are there, or why it failed
    pk <tenant>  sk job#<id>      what became of each of its uploads; forgotten after a week
    pk <tenant>  sk views#…       how often a variant was delivered (views.py)

Everybody writes only what they know, by updates that can come twice and in any order.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conversions.serverless.functions.clients import client, table

Item = dict[str, Any]
JOB_SECONDS = 7 * 86_400
MOST_SENT = 10  # messages of one SendMessageBatch
SOURCE = ("bucket", "key", "tenant", "upload", "bytes", "width", "height", "format")
# What every report to the portal carries, so that it can make the row of an upload of the API's.
ORIGIN = ("origin", "filename", "created_at")


def upload_create(
    *, tenant: str, upload: str, filename: str, presets: list[str] | None, created_at: str
) -> Item:
    """Write an upload of the API's whose file is to come."""
    item = {
        "pk": tenant,
        "sk": f"upload#{upload}",
        "origin": "api",
        "filename": filename,
        "created_at": created_at,
    }
    if presets is not None:
        item["requested"] = json.dumps(presets)
    table(os.environ["UPLOADS_TABLE"]).put_item(Item=item)
    return item


def upload(*, tenant: str, upload: str) -> Item:
    """Return what is known of an upload; empty where nothing is."""
    return _get(tenant, f"upload#{upload}")


def upload_inspected(*, source: Mapping[str, Any]) -> Item:
    """Note what a file is: its `source` (see SOURCE). Return the item."""
    names = {name: source[name] for name in SOURCE if name not in ("tenant", "upload")}
    return _set(source["tenant"], source["upload"], names)


def upload_started(*, tenant: str, upload: str, expected: Iterable[str], adds: bool) -> Item:
    """Note which variants will be made, beside those that are expected already where it `adds`.

    Return the item. What had failed is forgotten: it is tried again.
    """
    names = set(expected)
    sets, removes, more = ["started = :true"], ["failure"], ""
    values: dict[str, Any] = {":true": True}
    if names:
        values[":names"] = names
    if names and adds:
        more = " ADD expected :names"
    elif names:
        sets.append("expected = :names")
    elif not adds:  # DynamoDB has no empty sets
        removes.append("expected")
    update = f"SET {', '.join(sets)} REMOVE {', '.join(removes)}{more}"
    answer = table(os.environ["UPLOADS_TABLE"]).update_item(
        Key={"pk": tenant, "sk": f"upload#{upload}"},
        UpdateExpression=update,
        ExpressionAttributeValues=values,
        ReturnValues="ALL_NEW",
    )
    item: Item = answer["Attributes"]
    return item


def variant_made(*, tenant: str, upload: str, name: str, variant: Mapping[str, Any]) -> None:
    """Note that a variant is there. Its attribute is its own, so that none overwrites another."""
    _set(tenant, upload, {f"variant#{name}": dict(variant)})


def upload_failed(*, tenant: str, upload: str, code: str, text: str) -> None:
    """Note why an upload cannot be converted."""
    _set(tenant, upload, {"failure": {"code": code, "text": text}})


def job_note(*, tenant: str, job: str, outcome: Mapping[str, Any]) -> None:
    """Write what became of a job."""
    expires = int(time.time()) + JOB_SECONDS
    table(os.environ["UPLOADS_TABLE"]).put_item(
        Item={"pk": tenant, "sk": f"job#{job}", "outcome": json.dumps(outcome), "expires": expires}
    )


def job(*, tenant: str, job: str) -> dict[str, Any] | None:
    """Return what became of a job; None where it is not known (yet)."""
    item = _get(tenant, f"job#{job}")
    outcome: dict[str, Any] | None = json.loads(item["outcome"]) if item else None
    return outcome


def state(item: Item) -> str:
    """Say where an upload is: waiting, processing, done or failed."""
    if item.get("failure"):
        return "failed"
    if not item.get("started"):
        return "waiting"
    return "done" if item.get("expected", set()) <= variants(item).keys() else "processing"


def variants(item: Item) -> dict[str, dict[str, Any]]:
    """Return the variants that are there, by their file names."""
    prefix = "variant#"
    return {
        name.removeprefix(prefix): value for name, value in item.items() if name.startswith(prefix)
    }


def about(item: Item) -> dict[str, Any]:
    """Return what a report to the portal says of where an upload came from."""
    return {name: item[name] for name in ORIGIN if name in item}


def report(result: Mapping[str, Any]) -> None:
    """Tell the portal (conversions/services/results.py)."""
    client("sqs").send_message(
        QueueUrl=os.environ["RESULTS_QUEUE"], MessageBody=json.dumps(result, default=int)
    )


def report_all(results: Sequence[Mapping[str, Any]]) -> None:
    """Tell the portal much at once. Raise RuntimeError where SQS did not take all."""
    for start in range(0, len(results), MOST_SENT):
        answer = client("sqs").send_message_batch(
            QueueUrl=os.environ["RESULTS_QUEUE"],
            Entries=[
                {"Id": str(number), "MessageBody": json.dumps(result, default=int)}
                for number, result in enumerate(results[start : start + MOST_SENT])
            ],
        )
        if failed := answer.get("Failed"):
            raise RuntimeError(f"{len(failed)} reports were not taken: {failed[0]['Code']}")


def _get(tenant: str, sk: str) -> Item:
    answer = table(os.environ["UPLOADS_TABLE"]).get_item(
        Key={"pk": tenant, "sk": sk}, ConsistentRead=True
    )
    item: Item = answer.get("Item", {})
    return item


def _set(tenant: str, upload: str, values: Mapping[str, Any]) -> Item:
    names = {f"#{number}": name for number, name in enumerate(values)}
    answer = table(os.environ["UPLOADS_TABLE"]).update_item(
        Key={"pk": tenant, "sk": f"upload#{upload}"},
        UpdateExpression="SET " + ", ".join(f"{mark} = :{mark[1:]}" for mark in names),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={f":{n}": value for n, value in enumerate(values.values())},
        ReturnValues="ALL_NEW",
    )
    item: Item = answer["Attributes"]
    return item
