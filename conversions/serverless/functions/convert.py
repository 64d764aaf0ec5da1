"""Make an upload's variants: say what will be made, decode once, encode each, report each.

A message may come twice: names are a function of upload, preset and version, so that the second
time writes the same objects, and reports are counted once. What was made of this very file is only
reported again, so that each try of a picture too large for one gets further. A picture that is
refused is reported and done with; any other failure gives the message back, three times in all, and
then it lies in the dead letters, where the portal finds it.
"""

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from conversions.imaging import FileRefused, Recipe, Variant, make_variants
from conversions.serverless.functions import records
from conversions.serverless.functions.clients import client

logger = Logger()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

ABOUT = ("tenant", "upload", "bytes", "width", "height", "format", *records.ORIGIN)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Work on a batch; return which messages failed (ReportBatchItemFailures)."""
    return process_partial_response(event, _convert, processor, context)


def _convert(record: SQSRecord) -> None:
    work = json.loads(record.body)
    try:
        _make(work)
    except Exception:
        logger.exception("failed", extra={"message_id": record.message_id})
        raise


def _make(work: dict[str, Any]) -> None:
    source = work["source"]
    tenant, upload = source["tenant"], source["upload"]
    recipes = [Recipe.from_mapping(preset) for preset in json.loads(work["presets"])]
    if "requested" in source:
        recipes = [recipe for recipe in recipes if recipe.code in source["requested"]]
    about = {name: source[name] for name in ABOUT if name in source}
    item = records.upload_started(
        tenant=tenant,
        upload=upload,
        expected=[recipe.name for recipe in recipes],
        adds=work.get("adds", False),
    )
    about["expected"] = sorted(item.get("expected", ()))
    records.report({"kind": "started", **about, "adds": work.get("adds", False)})
    file = client("s3").get_object(Bucket=source["bucket"], Key=source["key"])
    there = records.variants(item)
    kept = [each for each in recipes if there.get(each.name, {}).get("of") == file["ETag"]]
    for recipe in kept:
        _report(about, recipe, there[recipe.name])
    missing = [each for each in recipes if each not in kept]
    try:
        for recipe, made in make_variants(file["Body"].read(), missing):
            variant = {**_store(made, recipe, source), "of": file["ETag"]}
            records.variant_made(tenant=tenant, upload=upload, name=recipe.name, variant=variant)
            _report(about, recipe, variant)
    except FileRefused as refusal:
        logger.warning("refused", extra={"upload": upload, "code": refusal.code})
        records.upload_failed(tenant=tenant, upload=upload, code=refusal.code, text=str(refusal))
        records.report({"kind": "refused", **about, "code": refusal.code, "text": str(refusal)})
        return
    logger.info("converted", extra={"upload": upload, "variants": len(recipes)})


def _report(about: dict[str, Any], recipe: Recipe, variant: dict[str, Any]) -> None:
    records.report(
        {
            "kind": "variant",
            **about,
            "preset": recipe.code,
            "version": recipe.version,
            **{f"variant_{name}": variant[name] for name in ("key", "bytes", "width", "height")},
        }
    )


def _store(made: Variant, recipe: Recipe, source: dict[str, Any]) -> dict[str, Any]:
    """Write a variant to its place, and say what it is."""
    key = f"variants/{source['tenant']}/{source['upload']}/{recipe.name}"
    client("s3").put_object(
        Bucket=source["bucket"], Key=key, Body=made.data, ContentType=recipe.format.media_type
    )
    return {
        "preset": recipe.code,
        "version": recipe.version,
        "format": recipe.format.value,
        "key": key,
        "bytes": len(made.data),
        "width": made.width,
        "height": made.height,
    }
