"""Who may see an upload, and that it is deleted: what callers change.

Each change has a revision, in milliseconds, and the newest wins. The portal is told first, and has
the last word: were a call to end between the two, it would change what is known here as well
(conversions/services/sharing.py).
"""

import os
import time
import uuid
from typing import Any

from botocore.exceptions import ClientError

from conversions.serverless.functions import edge, records
from conversions.serverless.functions.clients import table

# Where it is refused, somebody was faster: theirs is the newer change.
IS_NEWER = "attribute_not_exists(revision) OR revision < :revision"


def share(*, item: records.Item, is_public: bool, by: edge.Caller) -> None:
    """Let everybody see an upload's variants under a new id, or nobody any more but its tenant."""
    if is_public == ("public_id" in item):
        return
    kind, public_id = "unpublished", None
    change, values = "SET revision = :revision REMOVE public_id", {}
    if is_public:
        kind, public_id = "published", str(uuid.uuid4())
        change, values = "SET revision = :revision, public_id = :id", {":id": public_id}
    revision = _revision(item)
    records.report(_report(item, kind, by) | {"revision": revision, "public_id": public_id})
    try:
        _update(item, change, {**values, ":revision": revision}, ConditionExpression=IS_NEWER)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def delete(*, item: records.Item, by: edge.Caller) -> None:
    """Have an upload deleted: it is not found from now on, and nothing is written of it.

    Raise ClientError where somebody was faster: then it is not, unless it was deleted already.
    """
    revision = _revision(item)
    records.report(_report(item, "deleted", by) | {"revision": revision})
    _update(
        item,
        "SET deleted = :true, revision = :revision REMOVE listed",
        {":true": True, ":revision": revision},
        ConditionExpression=f"attribute_exists(deleted) OR {IS_NEWER}",
    )


def _revision(item: records.Item) -> int:
    return max(int(item.get("revision", 0)) + 1, time.time_ns() // 1_000_000)


def _report(item: records.Item, kind: str, by: edge.Caller) -> dict[str, Any]:
    upload = item["sk"].removeprefix("upload#")
    whose = {"tenant": item["pk"], "upload": upload, "key": by.key_name}
    return {"kind": kind, **whose, **records.about(item)}


def _update(item: records.Item, change: str, values: dict[str, Any], **where: str) -> None:
    table(os.environ["UPLOADS_TABLE"]).update_item(
        Key={"pk": item["pk"], "sk": item["sk"]},
        UpdateExpression=change,
        ExpressionAttributeValues=values,
        **where,
    )
