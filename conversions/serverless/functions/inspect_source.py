"""The state machine's first step: what was uploaded, whose is it, and can it be converted at all?

A refusal is an answer, not an error: nothing is tried again, and its text reaches the tenant.
"""

from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger

from conversions.imaging import ImageRefused, open_source
from conversions.serverless.functions.clients import client

logger = Logger()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return {bucket, key, tenant, upload, bytes} of an object, with {width, height, format} of a
    picture, or with {refused: {code, text}}.
    """
    bucket, key = event["bucket"], unquote_plus(event["key"])
    _root, tenant, upload, _name = key.split("/")
    data = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    about = {"bucket": bucket, "key": key, "tenant": tenant, "upload": upload, "bytes": len(data)}
    try:
        source = open_source(data)
    except ImageRefused as refusal:
        logger.warning("refused", extra={"upload": upload, "code": refusal.code})
        return {**about, "refused": {"code": refusal.code, "text": str(refusal)}}
    width, height = source.size
    logger.info("inspected", extra={"upload": upload, "bytes": len(data)})
    return {**about, "width": width, "height": height, "format": source.format}
