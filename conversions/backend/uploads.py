"""What is known of an upload by the API: the functions write it (records.py), and read it.

What is deleted leaves a mark behind, which no late function writes over.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversions.backend import BackendRefused, client, errors_of, outputs
from conversions.names import listing_place

NOT_DELETED = "attribute_not_exists(deleted)"


def upload_failed(*, tenant: str, upload: str, code: str, text: str) -> None:
    """Let the API say why an upload failed."""
    failure = {":failure": {"M": {"code": {"S": code}, "text": {"S": text}}}}
    _update(tenant, upload, "SET failure = :failure", failure, NOT_DELETED)


def variants_failed(*, tenant: str, upload: str, names: list[str], code: str, text: str) -> None:
    """Let the API say why these variants, by their file names, could not be made."""
    marks = {f"#{number}": f"failed#{name}" for number, name in enumerate(names)}
    change = "SET " + ", ".join(f"{mark} = :failure" for mark in marks)
    failure = {":failure": {"M": {"code": {"S": code}, "text": {"S": text}}}}
    _update(tenant, upload, change, failure, NOT_DELETED, ExpressionAttributeNames=marks)


@dataclass(frozen=True)
class Told:
    """What the portal says of an upload. Whoever knows `public_id` may see the variants; None: its
    tenant alone. `revision` is that of this or of the deletion, in milliseconds.
    """

    filename: str
    created_at: datetime
    public_id: uuid.UUID | None
    is_deleted: bool
    revision: int


def upload_told(*, tenant: str, upload: str, told: Told) -> bool:
    """Let the API know an upload, unless a newer change is known there; return whether it was told.

    `listed` is its place among the tenant's (functions/listing.py); what is deleted has none.
    """
    sets: dict[str, Any] = {
        "filename": {"S": told.filename},
        "created_at": {"S": told.created_at.isoformat()},
        "revision": {"N": str(told.revision)},
    }
    if told.public_id is not None:
        sets["public_id"] = {"S": str(told.public_id)}
    if told.is_deleted:
        sets["deleted"] = {"BOOL": True}
    else:
        sets["listed"] = {"S": listing_place(upload=upload, created_at=told.created_at)}
    removes = sorted({"public_id", "deleted", "listed"} - sets.keys())
    return _update(
        tenant,
        upload,
        f"SET {', '.join(f'{name} = :{name}' for name in sets)} REMOVE {', '.join(removes)}",
        {f":{name}": value for name, value in sets.items()},
        "attribute_not_exists(revision) OR revision <= :revision",
    )


def upload_forgotten(*, tenant: str, upload: str, expires: int) -> None:
    """Leave nothing of an upload but the mark that it is deleted.

    Until `expires` (seconds since the epoch) a late function finds it there.
    """
    with errors_of("forget an upload"):
        client("dynamodb").put_item(
            TableName=outputs()["UploadsTable"],
            Item={
                **_key(tenant, upload),
                "deleted": {"BOOL": True},
                "expires": {"N": str(expires)},
            },
        )


def tenant_forgotten(*, tenant: str) -> None:
    """Leave nothing of a tenant's uploads and jobs. Nothing may be at work on any of them."""
    with errors_of("forget a tenant"):
        table = outputs()["UploadsTable"]
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=table,
                KeyConditionExpression="pk = :tenant",
                ExpressionAttributeValues={":tenant": {"S": tenant}},
                ProjectionExpression="pk, sk",
                ConsistentRead=True,
            )
        )
        for page in pages:
            for item in page["Items"]:
                client("dynamodb").delete_item(TableName=table, Key=item)


def _update(
    tenant: str, upload: str, change: str, values: dict[str, Any], where: str, **more: Any
) -> bool:
    """Change an upload's item where a condition holds; return whether it did."""
    try:
        with errors_of("tell of an upload"):
            client("dynamodb").update_item(
                TableName=outputs()["UploadsTable"],
                Key=_key(tenant, upload),
                UpdateExpression=change,
                ConditionExpression=where,
                ExpressionAttributeValues=values,
                **more,
            )
    except BackendRefused as refusal:
        if refusal.code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _key(tenant: str, upload: str) -> dict[str, Any]:
    return {"pk": {"S": tenant}, "sk": {"S": f"upload#{upload}"}}
