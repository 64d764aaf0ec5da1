"""What the functions report: applied in any order, any number of times, counted once.

variant   one variant is there              refused   the file cannot be converted, and why
failed    the state machine gave up
"""

from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from conversions import backend
from conversions.models import Conversion, ConversionState, Upload, UploadState
from tenants.models import Meter
from tenants.services import usage_record

log = structlog.get_logger(__name__)


def results_poll(*, now: datetime, most: int = 50) -> int:
    """Apply what waits in the results queue; return how many messages. Raise BackendError.

    A message is deleted after its transaction: a crash between brings it again, for nothing.
    """
    done = 0
    for _batch in range(most):
        results = backend.results_receive()
        if not results:
            break
        for result in results:
            result_apply(body=result.body, now=now)
            backend.result_delete(result=result)
            done += 1
    return done


@transaction.atomic
def result_apply(*, body: dict[str, Any], now: datetime) -> None:
    """Apply one report. One that is about nothing we know (deleted since) is dropped."""
    # The state machine's own failure knows only the object: uploads/<tenant>/<upload>/source.
    uuid = body["upload"] if "upload" in body else body["key"].split("/")[2]
    upload = (
        Upload.objects.select_for_update(of=("self",))
        .select_related("tenant")
        .filter(uuid=uuid, deleted_at=None)
        .first()
    )
    if upload is None:
        log.warning("result.unknown_upload", upload=uuid)
        return
    upload.checked_at = now
    for name in ("width", "height", "bytes"):
        if body.get(name):
            setattr(upload, name, body[name])
    match body["kind"]:
        case "variant":
            _variant(upload, body, now)
        case "refused":
            _end(upload, UploadState.FAILED, _refusal(body), now)
        case "failed":
            log.error("ingest.failed", upload=uuid, error=body.get("error"))
            _end(upload, UploadState.FAILED, _("It could not be processed."), now)
    upload.save()


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
    upload.variants_expected = body["expected"]
    done = upload.conversions.filter(state=ConversionState.DONE).count()
    if done >= body["expected"]:
        _end(upload, UploadState.DONE, "", now)
    elif upload.state == UploadState.WAITING:
        upload.state = UploadState.PROCESSING


def _end(upload: Upload, state: UploadState, error: str, now: datetime) -> None:
    if upload.state == UploadState.DONE:
        return  # a late report of an earlier failure
    upload.state, upload.error, upload.finished_at = state, error, now


def _refusal(body: dict[str, Any]) -> str:
    """Return why a file was refused, in words that are translated here, by the code."""
    texts = {
        "empty": _("The file is empty."),
        "not_an_image": _("This is not a picture of a kind that can be converted."),
        "damaged": _("The picture is damaged or cut off."),
        "too_many_pixels": _("The picture has too many pixels."),
        "side_too_long": _("A side of the picture is too long."),
    }
    return texts.get(body.get("code", ""), str(body.get("text", "")))
