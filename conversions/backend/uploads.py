"""What is known of an upload by the API: the functions write it (records.py), and read it.

What is deleted leaves a mark behind, which no late function writes over.
"""

from typing import Any

from conversions.backend import BackendRefused, client, errors_of, outputs

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


def upload_told(
    *, tenant: str, upload: str, public_id: str | None, is_deleted: bool, revision: int
) -> None:
    """Let the API know whether an upload is deleted, and who may see the variants.

    That is whoever knows `public_id`; None: nobody else. What the API has been told later stays.
    """
    sets, removes = ["revision = :revision"], []
    values: dict[str, Any] = {":revision": {"N": str(revision)}}
    for name, value in {
        "public_id": {"S": public_id} if public_id else None,
        "deleted": {"BOOL": True} if is_deleted else None,
    }.items():
        if value is None:
            removes.append(name)
        else:
            sets.append(f"{name} = :{name}")
            values[f":{name}"] = value
    change = f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(removes)}" if removes else "")
    newer = "attribute_not_exists(revision) OR revision <= :revision"
    _update(tenant, upload, change, values, newer)


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


def _update(
    tenant: str, upload: str, change: str, values: dict[str, Any], where: str, **more: Any
) -> None:
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


def _key(tenant: str, upload: str) -> dict[str, Any]:
    return {"pk": {"S": tenant}, "sk": {"S": f"upload#{upload}"}}
