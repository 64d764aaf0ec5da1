"""What the functions report: applied in any order, any number of times, counted once.

started   this is a picture, and these variants     variant   one variant is there
          will be made of it
refused   the file cannot be converted, and why     failed    the state machine gave up
"""

from datetime import UTC, datetime
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction

from conversions import backend
from conversions.models import Conversion, ConversionState, Upload, UploadError, UploadState
from tenants.models import Meter
from tenants.services import usage_record

log = structlog.get_logger(__name__)


def results_poll(*, now: datetime, most: int = 50) -> int:
    """Apply what waits in the results queue and among the dead letters; return how many messages.

    A message is deleted after its transaction: a crash between brings it again, for nothing. One
    that cannot be applied is logged and stays, and holds up no other. Raise BackendError.
    """
    done = 0
    for queue in (backend.RESULTS, backend.DEAD):
        for _batch in range(most):
            results = backend.results_receive(queue=queue)
            if not results:
                break
            for result in results:
                done += _take(result, now)
    return done


def _take(result: backend.Result, now: datetime) -> bool:
    try:
        if result.queue == backend.DEAD:
            work_died(body=result.body, now=now)
        else:
            result_apply(body=result.body, now=now)
    except (KeyError, IndexError, TypeError, ValueError, ValidationError):
        log.exception("result.not_understood", queue=result.queue)
        return False
    backend.result_delete(result=result)
    return True


@transaction.atomic
def result_apply(*, body: dict[str, Any], now: datetime) -> None:
    """Apply one report. One that is about nothing we know (deleted since) is dropped."""
    # The state machine's own failure knows only the object: uploads/<tenant>/<upload>/source.
    uuid = body["upload"] if "upload" in body else body["key"].split("/")[2]
    upload = _locked(uuid)
    if upload is None:
        return
    upload.checked_at = now
    for name in ("width", "height", "bytes", "format"):
        if body.get(name):
            setattr(upload, name, body[name])
    match body["kind"]:
        case "started":
            _progress(upload, body["expected"], now)
        case "variant":
            _variant(upload, body, now)
        case "refused":
            _fail(upload, _refusal(body), now)
        case "failed":
            log.error("ingest.failed", upload=uuid, error=body["error"])
            _fail(upload, UploadError.NOT_PROCESSED, now)
        case kind:
            raise ValueError(f"unknown kind of result: {kind}")
    upload.save()


@transaction.atomic
def work_died(*, body: dict[str, Any], now: datetime) -> None:
    """Note that a message of the state machine's was tried three times, in vain."""
    upload = _locked(body["source"]["upload"])
    if upload is not None:
        log.error("work.died", upload=str(upload.uuid))
        _fail(upload, UploadError.GAVE_UP, now)
        upload.save()


def _locked(uuid: str) -> Upload | None:
    uploads = Upload.objects.select_for_update(of=("self",)).select_related("tenant")
    upload = uploads.filter(uuid=uuid, deleted_at=None).first()
    if upload is None:
        log.warning("result.unknown_upload", upload=uuid)
    return upload


def _variant(upload: Upload, body: dict[str, Any], now: datetime) -> None:
    key: str = body["variant_key"]
    Conversion.objects.update_or_create(
        upload=upload,
        preset_code=body["preset"],
        preset_version=body["version"],
        defaults={
            "state": ConversionState.DONE,
            "key": key,
            "format": key.rsplit(".", 1)[-1],
            "bytes": body["variant_bytes"],
            "width": body["variant_width"],
            "height": body["variant_height"],
            "error": "",
            "finished_at": now,
        },
    )
    usage_record(
        tenant=upload.tenant,
        meter=Meter.CONVERSIONS,
        key=key,
        day=now.astimezone(UTC).date(),
        now=now,
    )
    _progress(upload, body["expected"], now)


def _progress(upload: Upload, expected: list[str], now: datetime) -> None:
    """Say how far it is: done once every expected variant, by its file's name, is there."""
    upload.variants_expected = len(expected)
    keys = upload.conversions.filter(state=ConversionState.DONE).values_list("key", flat=True)
    if set(expected) <= {key.rsplit("/", 1)[-1] for key in keys}:
        upload.state, upload.error_code, upload.finished_at = UploadState.DONE, "", now
    elif upload.state == UploadState.WAITING:
        upload.state = UploadState.PROCESSING


def _fail(upload: Upload, error: UploadError, now: datetime) -> None:
    if upload.state != UploadState.DONE:  # else it is a late report of an earlier failure
        upload.state, upload.error_code, upload.finished_at = UploadState.FAILED, error, now


def _refusal(body: dict[str, Any]) -> UploadError:
    """Return why a file was refused; a code that only newer functions know is logged."""
    try:
        return UploadError(body["code"])
    except ValueError:
        log.exception("result.unknown_refusal", text=body.get("text"))
        return UploadError.NOT_AN_IMAGE
