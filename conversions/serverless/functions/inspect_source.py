"""The state machine's first step: what was uploaded, whose is it, and can it be converted at all?

It starts by S3's event, or by a caller who names an upload of theirs. A refusal is an answer, not
an error: nothing is tried again, and its text reaches the tenant. Only the header is read; damage
behind it shows when the picture is converted, which says so as well.
"""

import json
import os
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from conversions import filetypes
from conversions.imaging import FileRefused
from conversions.serverless.functions import edge, records
from conversions.serverless.functions.clients import client

logger = Logger()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return what records.SOURCE lists of an object, or only where it is with `refused`, the report
    that says why; and `requested`, where only some presets were. Raise NotPublished where the next
    steps would not find the tenant's presets.

    EventBridge gives the key as it is, unlike S3's own notifications, which encode it
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html).
    """
    bucket, key = _object(event)
    _root, tenant, upload, _name = key.split("/")
    edge.tenant_require(tenant)
    source: dict[str, Any] = {"bucket": bucket, "key": key, "tenant": tenant, "upload": upload}
    source |= records.about(records.upload(tenant=tenant, upload=upload))
    try:
        file = client("s3").get_object(Bucket=bucket, Key=key)
        data = file["Body"].read()
        source |= {"bytes": len(data), "etag": file["ETag"]}
        kind = filetypes.identify(data)
        header = kind.inspect(data)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return _refused({**source, "bytes": 0}, "never_arrived", "The file never arrived.")
    except FileRefused as refusal:
        return _refused(source, refusal.code, str(refusal))
    source |= {"file_type": kind.code, **header.to_mapping()}
    item = records.upload_inspected(source=source)
    if "requested" in item:
        source["requested"] = json.loads(item["requested"])
    logger.info("inspected", extra={"upload": upload, "bytes": len(data)})
    return source


def _object(event: dict[str, Any]) -> tuple[str, str]:
    """Return bucket and key: as S3 says, or those of the calling tenant's upload."""
    if "detail" in event:
        return event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]
    tenant = edge.caller(event["caller"]["key"]).tenant
    return os.environ["FILES_BUCKET"], f"uploads/{tenant}/{event['request']['upload']}/source"


def _refused(source: dict[str, Any], code: str, text: str) -> dict[str, Any]:
    logger.warning("refused", extra={"upload": source["upload"], "code": code})
    records.upload_failed(tenant=source["tenant"], upload=source["upload"], code=code, text=text)
    return {**source, "refused": records.report_of(source, "refused", code=code, text=text)}
