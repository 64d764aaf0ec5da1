"""The state machine's first step: what was uploaded, whose is it, and can it be converted at all?

A refusal is an answer, not an error: nothing is tried again, and its text reaches the tenant. Only
the header is read; damage behind it shows when the picture is converted, which says so as well.
"""

from typing import Any

from aws_lambda_powertools import Logger

from conversions.imaging import ImageRefused, read_header
from conversions.serverless.functions.clients import client

logger = Logger()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return {bucket, key, tenant, upload, bytes} of an object, with {width, height, format} of a
    picture, or with {refused: {code, text}}.

    EventBridge gives the key as it is, unlike S3's own notifications, which encode it
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html).
    """
    bucket, key = event["bucket"], event["key"]
    _root, tenant, upload, _name = key.split("/")
    data = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    about = {"bucket": bucket, "key": key, "tenant": tenant, "upload": upload, "bytes": len(data)}
    try:
        header = read_header(data)
    except ImageRefused as refusal:
        logger.warning("refused", extra={"upload": upload, "code": refusal.code})
        return {**about, "refused": {"code": refusal.code, "text": str(refusal)}}
    logger.info("inspected", extra={"upload": upload, "bytes": len(data)})
    return {**about, "width": header.width, "height": header.height, "format": header.format}
