"""Make an upload's variants: say what will be made, decode once, encode each, report each.

A message may come twice: names are a function of upload, preset and version, so that the second
time writes the same objects, and reports are counted once. A picture that is refused is reported
and done with; any other failure gives the message back, three times in all, and then it lies in
the dead letters, where the portal finds it.
"""

import json
import os
from typing import Any

from aws_lambda_powertools import Logger

from conversions.imaging import ImageRefused, Recipe, open_source, render
from conversions.serverless.functions.clients import client

logger = Logger()

ABOUT = ("tenant", "upload", "bytes", "width", "height", "format")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Work on a batch; return which messages failed (ReportBatchItemFailures)."""
    failures = []
    for record in event["Records"]:
        try:
            _convert(json.loads(record["body"]))
        except Exception:
            logger.exception("failed", extra={"message_id": record["messageId"]})
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _convert(work: dict[str, Any]) -> None:
    source = work["source"]
    recipes = [Recipe.from_mapping(preset) for preset in json.loads(work["presets"])]
    about = {name: source[name] for name in ABOUT}
    about["expected"] = [recipe.name for recipe in recipes]
    _report({"kind": "started", **about})
    body = client("s3").get_object(Bucket=source["bucket"], Key=source["key"])["Body"]
    try:
        picture = open_source(body.read())
    except ImageRefused as refusal:
        logger.warning("refused", extra={"upload": source["upload"], "code": refusal.code})
        _report({"kind": "refused", **about, "code": refusal.code, "text": str(refusal)})
        return
    for recipe in recipes:
        variant = render(picture, recipe)
        key = f"variants/{source['tenant']}/{source['upload']}/{recipe.name}"
        client("s3").put_object(
            Bucket=source["bucket"],
            Key=key,
            Body=variant.data,
            ContentType=recipe.format.media_type,
        )
        _report(
            {
                "kind": "variant",
                **about,
                "preset": recipe.code,
                "version": recipe.version,
                "variant_key": key,
                "variant_bytes": len(variant.data),
                "variant_width": variant.width,
                "variant_height": variant.height,
            }
        )
    logger.info("converted", extra={"upload": source["upload"], "variants": len(recipes)})


def _report(result: dict[str, Any]) -> None:
    client("sqs").send_message(QueueUrl=os.environ["RESULTS_QUEUE"], MessageBody=json.dumps(result))
