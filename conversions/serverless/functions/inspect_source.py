"""The state machine's first step: what was uploaded, whose is it, and can it be converted at all?

An ImageRefused ends the execution without a retry; its text reaches the tenant.
"""

import json
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger

from conversions.imaging import open_source
from conversions.imaging.errors import ImageRefused
from conversions.serverless.functions.clients import client

logger = Logger()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return {bucket, key, tenant, upload, width, height, format, bytes} of an object.

    Raise ImageRefused with {"code", "text"} as JSON, so that both survive the state machine.
    """
    bucket, key = event["bucket"], unquote_plus(event["key"])
    _root, tenant, upload, _name = key.split("/")
    data = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        source = open_source(data)
    except ImageRefused as refusal:
        logger.warning("refused", extra={"upload": upload, "code": refusal.code})
        raise ImageRefused(
            refusal.code, json.dumps({"code": refusal.code, "text": str(refusal)})
        ) from refusal
    width, height = source.size
    logger.info("inspected", extra={"upload": upload, "bytes": len(data)})
    return {
        "bucket": bucket,
        "key": key,
        "tenant": tenant,
        "upload": upload,
        "width": width,
        "height": height,
        "format": source.format,
        "bytes": len(data),
    }
