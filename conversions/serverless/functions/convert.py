"""Make the variants of one unit of work: decode once, encode each, report each.

A message may come twice: names are a function of upload, preset and version, so that the second
time writes the same objects, and reports are counted once. What was made of this very file is only
reported again, so that each try of a unit too large for one gets further. A file that is refused is
reported and done with, and so are variants that are; any other failure gives the message back,
three times in all. The last time
the portal is told why; then the message lies in the dead letters, where the portal finds also those
that nobody could tell of, their function having been killed.

What a try took is told as well, so that operators see what a tenant costs: each try is paid for.
One that is killed, for its memory or its time, tells nothing.
"""

import json
import math
import os
import time
from collections.abc import Iterable
from contextlib import closing
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from conversions import filetypes
from conversions.filetypes import AnyRecipe, Made
from conversions.imaging import FileRefused, VariantRefused
from conversions.serverless.functions import records
from conversions.serverless.functions.clients import client

TRIES = 3  # the queue's maxReceiveCount
MOST_SECONDS = 240  # of the function's 300; the others are for reading and writing

logger = Logger()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Work on a batch; return which messages failed (ReportBatchItemFailures)."""
    return process_partial_response(event, _convert, processor, context)


def _convert(record: SQSRecord) -> None:
    work, began = json.loads(record.body), time.monotonic()
    try:
        _make(work)
    except records.Deleted:
        logger.info("deleted meanwhile", extra={"upload": work["source"]["upload"]})
    except Exception as error:
        logger.exception("failed", extra={"message_id": record.message_id})
        if int(record.attributes.approximate_receive_count or 0) >= TRIES:
            _give_up(work, _reason(error))
        raise
    finally:
        _tell_compute(record, work, time.monotonic() - began)


def _make(work: dict[str, Any]) -> None:
    source = work["source"]
    tenant, upload = source["tenant"], source["upload"]
    kind = filetypes.by_code(source["file_type"])
    recipes = {recipe.name: recipe for recipe in map(kind.recipe, work["presets"])}
    item = records.upload(tenant=tenant, upload=upload)
    if not item:
        raise records.Deleted(upload)
    file = client("s3").get_object(Bucket=source["bucket"], Key=source["key"])
    for name, variant in records.variants(item | {"etag": file["ETag"]}).items():
        if recipes.pop(name, None):
            records.report(records.report_of_variant(source, variant))
    if not recipes:
        return
    missing, some_are_made = list(recipes.values()), False
    watermarks, data = _watermarks(source["bucket"], work["presets"]), file["Body"].read()
    try:
        with closing(
            kind.convert(data, missing, watermarks=watermarks, seconds=MOST_SECONDS)
        ) as variants:
            for recipe, made in variants:
                variant = _stored(made, recipe, source) | {"of": file["ETag"]}
                records.variant_made(
                    tenant=tenant, upload=upload, name=recipe.name, variant=variant
                )
                records.report(records.report_of_variant(source, variant))
                some_are_made = True
    except VariantRefused as refusal:
        if some_are_made:  # the next try has less to do
            raise
        logger.warning("variants refused", extra={"upload": upload, "code": refusal.code})
        _tell_unmade(work, refusal.code)
        return
    except FileRefused as refusal:
        logger.warning("refused", extra={"upload": upload, "code": refusal.code})
        records.upload_failed(tenant=tenant, upload=upload, code=refusal.code, text=str(refusal))
        said = {"code": refusal.code, "text": str(refusal)}
        records.report(records.report_of(source, "refused", **said))
        return
    unit = f"{work['unit']} of {work['units']}"
    logger.info("converted", extra={"upload": upload, "unit": unit, "variants": len(missing)})


def _tell_compute(record: SQSRecord, work: dict[str, Any], seconds: float) -> None:
    """Tell what this try took, in begun milliseconds, as Lambda bills them; starting a new function
    is not in it. Where it cannot be told, the work is done all the same.
    """
    memory = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    if memory is None:  # not on Lambda
        return
    try:
        source, attempt = work["source"], record.attributes.approximate_receive_count
        report = {
            "kind": "compute",
            "tenant": source["tenant"],
            "upload": source["upload"],
            "key": f"{record.message_id} {attempt}",
            "megabyte_milliseconds": int(memory) * math.ceil(seconds * 1000),
        }
        records.report(report)
    except Exception:
        logger.exception("compute not told")


def _stored(made: Made, recipe: AnyRecipe, source: dict[str, Any]) -> dict[str, Any]:
    """Put a variant where it belongs, and say what it is."""
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


def _watermarks(bucket: str, presets: Iterable[dict[str, Any]]) -> dict[str, bytes]:
    """Return the bytes of the watermarks that presets name, by their keys."""
    keys = {preset["watermark"]["key"] for preset in presets if preset.get("watermark")}
    return {key: _watermark(bucket, key) for key in keys}


@lru_cache(maxsize=16)
def _watermark(bucket: str, key: str) -> bytes:
    """Read a watermark. The portal puts it there before it publishes a preset that names it."""
    found = client("s3").get_object(Bucket=bucket, Key=f"watermarks/{key}.png")
    data: bytes = found["Body"].read()
    return data


def _reason(error: Exception) -> str:
    """Return the code of records.REASONS that tells a tenant most."""
    if isinstance(error, VariantRefused):
        return error.code
    if isinstance(error, MemoryError):
        return "out_of_memory"
    return "storage" if isinstance(error, BotoCoreError | ClientError) else "unexpected"


def _give_up(work: dict[str, Any], code: str) -> None:
    """Tell why variants are not made. Where that fails as well, the dead letter is left to tell
    that they are not.
    """
    try:
        _tell_unmade(work, code)
    except Exception:
        logger.exception("not told")


def _tell_unmade(work: dict[str, Any], code: str) -> None:
    """Tell why a unit's variants are not made; those that are there already are left out later."""
    source, names = work["source"], work["names"]
    whose = {"tenant": source["tenant"], "upload": source["upload"]}
    records.variants_failed(**whose, names=names, code=code)
    records.report(records.report_of(source, "unmade", names=names, code=code))
