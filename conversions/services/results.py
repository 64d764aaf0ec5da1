"""What the functions report: applied in any order, any number of times, counted once.

started   what the file is, and the plan: which      variant   one variant is there
          variants are made of it                    unmade    these cannot be made, and why
refused   the file cannot be converted, and why      failed    the state machine gave up
created   an upload was made by the API              views     how often a variant was delivered
deleted   a caller deleted an upload                 published, unpublished
compute   what a try of a unit of work took                    a caller let everybody see it, or not

What follows from that is in progress.py. A report about an upload of the API's carries where that
came from, so that whichever report comes first makes its row; all but "failed", which carries only
what started the state machine, and is dropped where there is no row yet.
"""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import structlog
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from conversions import backend
from conversions.backend.uploads import variants_failed
from conversions.models import (
    Conversion,
    ConversionError,
    ConversionState,
    Upload,
    UploadError,
    UploadState,
    VariantViews,
)
from conversions.services import progress
from conversions.services.compute import compute_note
from conversions.services.sharing import failure_tell, published_as, tell_soon
from conversions.services.uploads import storable, upload_delete
from tenants.models import ApiKeyVersion, Meter, Tenant
from tenants.services import usage_record

log = structlog.get_logger(__name__)
MOST_LOGGED = 2000  # characters of a message that is then deleted


def results_poll(*, now: datetime, most: int = 50) -> int:
    """Apply what waits in the results queue and among the dead letters; return how many messages.

    A message is deleted after its transaction: a crash between brings it again, for nothing. One
    that is not understood is logged and stays, for a newer portal may understand it; one that the
    database refuses is logged and goes. Neither holds up any other. Raise BackendError.
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
            _buried(result.body, now)
        elif failed := result_apply(body=result.body, now=now):
            # The functions cannot know.
            failure_tell(upload=failed, error=UploadError(failed.error_code))
    except (DataError, IntegrityError, OverflowError):  # the last is SQLite's, of a huge number
        log.exception("result.not_storable", queue=result.queue, text=result.text[:MOST_LOGGED])
    except (LookupError, AttributeError, TypeError, ValueError, ValidationError):
        log.exception("result.not_understood", queue=result.queue)
        return False
    backend.result_delete(result=result)
    return True


def _buried(body: dict[str, Any], now: datetime) -> None:
    """Note that work died. An older deployment's says neither its variants nor by which plan."""
    if "names" in body and "plan" in body["source"]:
        _tell_stopped(body, work_died(body=body, now=now))
    elif failed := unplanned_work_died(body=body, now=now):
        failure_tell(upload=failed, error=UploadError(failed.error_code))


def _tell_stopped(body: dict[str, Any], names: list[str]) -> None:
    """Let those who ask by the API know which variants' function was killed."""
    if names:
        error = ConversionError.STOPPED
        whose = {name: body["source"][name] for name in ("tenant", "upload")}
        variants_failed(**whose, names=names, code=error.value, text=str(error.label))


@transaction.atomic
def result_apply(*, body: dict[str, Any], now: datetime) -> Upload | None:
    """Apply one report. One that is about nothing we know (deleted since) is dropped.

    Return the upload where the report made it fail and the functions do not know.
    """
    match body["kind"]:
        case "views":
            _views(body)
            return None
        case "deleted" | "published" | "unpublished":
            _changed(body, now)
            return None
        case "compute":
            compute_note(body=body, now=now)
            return None
    upload = _of_failure(body["input"]) if body["kind"] == "failed" else _of_report(body)
    if upload is None:
        return None
    upload.checked_at = now
    for name in ("width", "height", "bytes", "format", "file_type"):
        if body.get(name):
            setattr(upload, name, body[name])
    upload.is_table = body.get("is_table", upload.is_table)
    _apply(upload, body, now)
    upload.save()
    return upload if body["kind"] == "failed" and upload.state == UploadState.FAILED else None


def _apply(upload: Upload, body: dict[str, Any], now: datetime) -> None:
    match body["kind"]:
        case "created":
            if body.get("requested") is not None:  # codes that the functions knew
                upload.requested = " ".join(["", *body["requested"], ""])
        case "started":
            news = {name: body[name] for name in ("plan", "expected", "to_make")}
            progress.planned(upload, **news, now=now)
        case "variant":
            _variant(upload, body, now)
        case "unmade":
            news = {name: body[name] for name in ("plan", "names")}
            progress.unmade(upload, **news, error=ConversionError(body["code"]), now=now)
        case "refused":
            progress.refused(upload, plan=body.get("plan"), error=_refusal(body), now=now)
        case "failed":
            log.error("ingest.failed", upload=str(upload.uuid), error=body["error"])
            progress.failed(upload, UploadError.NOT_PROCESSED, now)
        case kind:
            raise ValueError(f"unknown kind of result: {kind}")


@transaction.atomic
def work_died(*, body: dict[str, Any], now: datetime) -> list[str]:
    """Note that a unit of work was tried three times, in vain.

    Return the names of its variants where its function could not tell why they are not made.
    """
    source = body["source"]
    upload = _locked(source["tenant"], source["upload"])
    if upload is None:
        return []
    log.error("work.died", upload=str(upload.uuid), names=body["names"])
    unit = {"plan": source["plan"], "names": body["names"]}
    stopped = progress.unmade(upload, **unit, error=ConversionError.STOPPED, now=now)
    upload.save()
    return stopped


@transaction.atomic
def unplanned_work_died(*, body: dict[str, Any], now: datetime) -> Upload | None:
    """Have an upload fail of which all work was tried in vain; return it unless it is done."""
    upload = _locked(body["source"]["tenant"], body["source"]["upload"])
    if upload is None:
        return None
    log.error("work.died", upload=str(upload.uuid))
    progress.failed(upload, UploadError.NOT_PROCESSED, now)
    upload.save()
    return upload if upload.state == UploadState.FAILED else None


def _of_report(body: dict[str, Any], *, even_deleted: bool = False) -> Upload | None:
    """Return the upload that a report is about, made where it is a new one of the API's."""
    tenant, uuid = body["tenant"], body["upload"]
    if body.get("origin") == "api":
        # Of one that leaves the files go, or went: a late report brings none back.
        owner = Tenant.objects.filter(uuid=tenant, leaving_parts=None).first()
        if owner is not None:
            Upload.objects.get_or_create(
                uuid=uuid,
                defaults={
                    "tenant": owner,
                    "filename": storable(body["filename"], most=255) or uuid,
                    "created_at": datetime.fromisoformat(body["created_at"]),
                    "checked_at": datetime.fromisoformat(body["created_at"]),
                },
            )
    return _locked(tenant, uuid, even_deleted=even_deleted)


def _of_failure(asked: dict[str, Any]) -> Upload | None:
    """Return the upload that a failed execution was about, from what started it.

    That was S3 with the object, uploads/<tenant>/<upload>/source, or a caller, whose key says which
    tenant it was.
    """
    if "detail" in asked:
        _root, tenant, uuid, _name = asked["detail"]["object"]["key"].split("/")
        return _locked(tenant, uuid)
    version = ApiKeyVersion.objects.select_related("api_key__tenant").filter(
        gateway_id=asked["caller"]["key"]
    )
    key = version.first()
    return _locked(str(key.api_key.tenant.uuid), asked["request"]["upload"]) if key else None


def _locked(tenant: str, uuid: str, *, even_deleted: bool = False) -> Upload | None:
    uploads = Upload.objects.select_for_update(of=("self",)).select_related("tenant")
    upload = uploads.filter(uuid=uuid, tenant__uuid=tenant).first()
    if upload is None or (upload.deleted_at is not None and not even_deleted):
        log.warning("result.unknown_upload", upload=uuid)
        return None
    return upload


def _changed(body: dict[str, Any], now: datetime) -> None:
    """Do to an upload what a caller did to it by the API, unless a newer change is known of it.

    What is deleted stays so; with their revision, the functions are told again that it is.
    """
    upload, revision = _of_report(body, even_deleted=True), body["revision"]
    if upload is None or revision <= upload.revision:
        return
    if upload.deleted_at is not None:
        upload.revision = revision
        upload.save(update_fields=["revision"])
        tell_soon()
    elif body["kind"] == "deleted":
        upload_delete(upload=upload, actor=None, now=now, key=body["key"], revision=revision)
    else:
        public_id = None if body["kind"] == "unpublished" else UUID(body["public_id"])
        published_as(
            locked=upload,
            public_id=public_id,
            revision=revision,
            now=now,
            key=body["key"],
        )


def _views(body: dict[str, Any]) -> None:
    """Note a day's total; totals only grow, so an older one that comes late changes nothing."""
    upload = _locked(body["tenant"], body["upload"])
    if upload is None:
        return
    row, _is_new = VariantViews.objects.get_or_create(
        upload=upload,
        preset_code=body["preset"],
        day=date.fromisoformat(body["day"]),
        defaults={"views": body["views"]},
    )
    VariantViews.objects.filter(pk=row.pk, views__lt=body["views"]).update(views=body["views"])


def _variant(upload: Upload, body: dict[str, Any], now: datetime) -> None:
    """Note that a variant is there. It counts once of each file: a form takes more than one."""
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
            "error_code": "",
            "finished_at": now,
        },
    )
    usage_record(
        tenant=upload.tenant,
        meter=Meter.CONVERSIONS,
        key=f"{key} {body['of']}",
        day=now.astimezone(UTC).date(),
        now=now,
    )
    progress.settle(upload, now)


def _refusal(body: dict[str, Any]) -> UploadError:
    """Return why a file was refused; a code that only newer functions know is logged."""
    try:
        return UploadError(body["code"])
    except ValueError:
        log.exception("result.unknown_refusal", text=body.get("text"))
        return UploadError.NOT_AN_IMAGE
