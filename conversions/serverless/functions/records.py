"""What is known of each upload and job, in the uploads table, for whoever asks by the API.

One item an upload, under its tenant, so that a stranger's is not found:

    pk <tenant>  sk upload#<id>   file name, what its bytes are, which presets were asked for, how
                                  often work on it was planned, which variants are expected, which
                                  are there, and which could not be made, or why the file cannot be
    pk <tenant>  sk job#<id>      what became of each of its uploads; forgotten after a week
    pk <tenant>  sk views#…       how often a variant was delivered (views.py)

Everybody writes only what they know, by updates that can come twice and in any order. Of an upload
that is deleted the item stays for a while, so that nothing that comes late is written of it.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from conversions.names import variant_of
from conversions.serverless.functions.clients import client, table

Item = dict[str, Any]
JOB_SECONDS = 7 * 86_400
MOST_SENT = 10  # messages of one SendMessageBatch
# What the inspection says of a file: where it is, which version of it, and what its header says.
SOURCE = (
    *("bucket", "key", "tenant", "upload", "etag", "bytes", "file_type"),
    *("format", "width", "height", "frames", "is_table"),
)
# What every report to the portal carries, so that it can make the row of an upload of the API's.
ORIGIN = ("origin", "filename", "created_at")
_ABOUT = (
    *("tenant", "upload", "bytes", "file_type"),
    *("format", "width", "height", "is_table", "plan", *ORIGIN),
)
# Why a variant could not be made, though the file is good: codes of the portal's ConversionError.
REASONS = {
    "too_much_memory": "It would take too much memory to convert.",
    "too_slow": "It takes too long to convert.",
    "out_of_memory": "It took too much memory.",
    "storage": "The storage could not be reached.",
    "unexpected": "An unexpected error, which has been logged.",
}
# Why an upload failed, where the file is not the reason (the portal's UploadError).
GAVE_UP = {"code": "gave_up", "text": "Some variants could not be made, after several tries."}


class Deleted(Exception):
    """The upload is deleted."""


def upload_create(
    *,
    tenant: str,
    upload: str,
    filename: str,
    presets: list[str] | None,
    created_at: str,
    listed: str,
) -> Item:
    """Write an upload of the API's whose file is to come."""
    item = {
        "pk": tenant,
        "sk": f"upload#{upload}",
        "origin": "api",
        "filename": filename,
        "created_at": created_at,
        "listed": listed,
    }
    if presets is not None:
        item["requested"] = json.dumps(presets)
    table(os.environ["UPLOADS_TABLE"]).put_item(Item=item)
    return item


def upload(*, tenant: str, upload: str, even_deleted: bool = False) -> Item:
    """Return what is known of an upload; empty where nothing is, or it is deleted."""
    item = _get(tenant, f"upload#{upload}")
    return {} if "deleted" in item and not even_deleted else item


def upload_inspected(*, source: Mapping[str, Any]) -> Item:
    """Note what a file is: its `source` (see SOURCE). Return the item. Raise Deleted."""
    names = {name: source[name] for name in SOURCE if name not in ("tenant", "upload")}
    return _set(source["tenant"], source["upload"], names)


def upload_planned(
    *, tenant: str, upload: str, expected: Iterable[str], to_make: Iterable[str], adds: bool
) -> Item:
    """Note which variants are expected, beside those that are already where the plan `adds`, and
    number the plan. Return the item.

    What had failed is forgotten, as far as it is tried again: it is among those `to_make`.
    """
    names = {f"#f{number}": f"failed#{name}" for number, name in enumerate(to_make)}
    adding, sets, removes = ["plans :one"], "", ["failure", *names]
    values: dict[str, Any] = {":one": 1}
    if wanted := set(expected):
        values[":names"] = wanted
        if adds:
            adding.append("expected :names")
        else:
            sets = "SET expected = :names "
    elif not adds:  # DynamoDB has no empty sets
        removes.append("expected")
    update = f"{sets}REMOVE {', '.join(removes)} ADD {', '.join(adding)}"
    return _update(tenant, upload, update, values, names)


def variant_made(*, tenant: str, upload: str, name: str, variant: Mapping[str, Any]) -> None:
    """Note that a variant is there. Its attribute is its own, so that none overwrites another."""
    _set(tenant, upload, {f"variant#{name}": dict(variant)})


def variants_failed(*, tenant: str, upload: str, names: Iterable[str], code: str) -> None:
    """Note why variants could not be made, by a code of REASONS."""
    failure = {"code": code, "text": REASONS[code]}
    _set(tenant, upload, {f"failed#{name}": failure for name in names})


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
    """Say where an upload is: waiting, processing, done or failed.

    Some variants may be there of one that failed; the others could not be made.
    """
    if "failure" in item:
        return "failed"
    if "plans" not in item:
        return "waiting"
    missing = newest(item.get("expected", ())) - variants(item).keys()
    if not missing:
        return "done"
    return "failed" if missing <= _named(item, "failed#").keys() else "processing"


def newest(names: Iterable[str]) -> set[str]:
    """Return each preset's newest variant, of file names."""
    found: dict[str, tuple[int, str]] = {}
    for name in names:
        code, version = variant_of(name)
        found[code] = max(found.get(code, (0, "")), (version, name))
    return {name for _version, name in found.values()}


def variants(item: Item) -> dict[str, dict[str, Any]]:
    """Return the variants that are there of the file as it is now, by their file names."""
    made = _named(item, "variant#")
    return {name: it for name, it in made.items() if it["of"] == item.get("etag")}


def failures(item: Item) -> dict[str, dict[str, str]]:
    """Return code and text of why variants could not be made, by their file names.

    Of one that a newer version of its preset has replaced, nobody wants to know.
    """
    there, failed = variants(item), _named(item, "failed#")
    meant = newest([*there, *failed, *item.get("expected", ())]) - there.keys()
    return {name: it for name, it in failed.items() if name in meant}


def _named(item: Item, prefix: str) -> dict[str, dict[str, Any]]:
    return {
        name.removeprefix(prefix): value for name, value in item.items() if name.startswith(prefix)
    }


def about(item: Item) -> dict[str, Any]:
    """Return what a report to the portal says of where an upload came from."""
    return {name: item[name] for name in ORIGIN if name in item}


def report_of(source: Mapping[str, Any], kind: str, **said: Any) -> dict[str, Any]:
    """Return a report on the work on a file, with what the portal may not know of that yet."""
    return {"kind": kind, **{name: source[name] for name in _ABOUT if name in source}, **said}


def report_of_variant(source: Mapping[str, Any], variant: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report that a variant is there, made `of` the file with this ETag."""
    made = {f"variant_{name}": variant[name] for name in ("key", "bytes", "width", "height")}
    about = {name: variant[name] for name in ("preset", "version", "of")}
    return report_of(source, "variant", **about, **made)


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
    return _update(
        tenant,
        upload,
        "SET " + ", ".join(f"{mark} = :{mark[1:]}" for mark in names),
        {f":{n}": value for n, value in enumerate(values.values())},
        names,
    )


def _update(
    tenant: str,
    upload: str,
    change: str,
    values: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
) -> Item:
    """Change an upload's item, and return it. Raise Deleted."""
    try:
        answer = table(os.environ["UPLOADS_TABLE"]).update_item(
            Key={"pk": tenant, "sk": f"upload#{upload}"},
            UpdateExpression=change,
            ConditionExpression="attribute_not_exists(deleted)",
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
            **({"ExpressionAttributeNames": names} if names else {}),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        raise Deleted(upload) from error
    item: Item = answer["Attributes"]
    return item
