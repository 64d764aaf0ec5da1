"""How far the work on an upload is, from what was reported of it: in any order, twice, or late.

Each plan of the work has a number, which its news carry; a row of a variant says which plan it
waits or failed by. So news of an older plan never undo what a newer one says. A variant that is
there stays there. Callers hold the upload's lock, and save it.

An upload is done once every expected variant is there, and has failed once no other is coming.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from conversions.models import (
    Conversion,
    ConversionError,
    ConversionState,
    Upload,
    UploadError,
    UploadState,
)
from conversions.names import variant_of
from tenants.services import webhook_tell

Variant = tuple[str, int]  # a preset's code and version


def planned(
    upload: Upload, *, plan: int, expected: Iterable[str], to_make: Iterable[str], now: datetime
) -> None:
    """Note which variants are expected from now on, and which of them this plan is to make.

    The last plan's news that come again start nothing: an upload that waits for another try, or was
    brought back, waits for a newer plan.
    """
    if plan < upload.plan:
        return
    if plan > upload.plan:
        upload.state, upload.error_code = UploadState.PROCESSING, ""
    wanted, tried = {variant_of(name) for name in expected}, {variant_of(name) for name in to_make}
    upload.plan, upload.variants_expected = plan, len(wanted)
    # Of what has failed by this very plan nothing more comes.
    is_over = upload.state == UploadState.FAILED
    state = ConversionState.FAILED if is_over else ConversionState.WAITING
    rows = _rows(upload)
    for variant, row in rows.items():
        if row.state == ConversionState.DONE:
            continue
        if variant not in wanted:
            row.delete()
        elif variant in tried and row.plan < plan:
            row.state, row.error_code, row.plan = state, "", plan
            row.save(update_fields=["state", "error_code", "plan"])
    Conversion.objects.bulk_create(
        Conversion(upload=upload, preset_code=code, preset_version=version, state=state, plan=plan)
        for code, version in sorted(wanted - rows.keys())
    )
    settle(upload, now)


def unmade(
    upload: Upload, *, plan: int, names: Iterable[str], error: ConversionError, now: datetime
) -> list[str]:
    """Note that variants were tried in vain; return the names of those that failed by that.

    The reason that a function told stays: STOPPED only says that none was told.
    """
    rows = _rows(upload)
    failed = []
    for name in names:
        code, version = variant_of(name)
        row = rows.get((code, version))
        if row is None:
            if plan < upload.plan:  # a newer one does without this variant
                continue
            row = Conversion(upload=upload, preset_code=code, preset_version=version)
        why_is_known = row.plan == plan and row.error_code not in ("", ConversionError.STOPPED)
        if row.state == ConversionState.DONE or row.plan > plan or why_is_known:
            continue
        row.state, row.error_code, row.plan = ConversionState.FAILED, error, plan
        row.save()
        failed.append(name)
    settle(upload, now)
    return failed


def refused(upload: Upload, *, plan: int | None, error: UploadError, now: datetime) -> None:
    """Note that the file cannot be converted, as was seen before any plan, or by this one."""
    if plan is None or plan >= upload.plan:
        upload.plan = plan or upload.plan
        failed(upload, error, now)


def failed(upload: Upload, error: UploadError, now: datetime) -> None:
    """Note that an upload failed as a whole. Of one that is done it is a late report."""
    if upload.state != UploadState.DONE:
        is_news = upload.state != UploadState.FAILED
        upload.state, upload.error_code, upload.finished_at = UploadState.FAILED, error, now
        if is_news:
            _finished_tell(upload, now)
        waiting = upload.conversions.filter(state=ConversionState.WAITING)
        waiting.update(state=ConversionState.FAILED)


def restarted(upload: Upload) -> None:
    """Have a failed upload wait for another plan."""
    upload.state, upload.error_code = UploadState.WAITING, ""
    upload.checked_at = upload.finished_at = None
    missing = upload.conversions.filter(state=ConversionState.FAILED)
    missing.update(state=ConversionState.WAITING, error_code="")


@transaction.atomic
def given_up(uploads: QuerySet[Upload], now: datetime) -> None:
    """Wait no longer for what is missing of these uploads."""
    for upload in uploads.select_for_update(of=("self",)):
        waiting = upload.conversions.filter(state=ConversionState.WAITING)
        waiting.update(state=ConversionState.FAILED, error_code=ConversionError.STOPPED)
        failed(upload, UploadError.GAVE_UP, now)
        upload.save(update_fields=["state", "error_code", "finished_at"])


def settle(upload: Upload, now: datetime) -> None:
    """Say where an upload is, from its variants, once it is known which are expected."""
    if upload.variants_expected is None:
        return
    states = set(upload.conversions.values_list("state", flat=True))
    if states <= {ConversionState.DONE}:
        if upload.state != UploadState.DONE:
            upload.state, upload.error_code, upload.finished_at = UploadState.DONE, "", now
            _finished_tell(upload, now)
    elif upload.state == UploadState.PROCESSING and ConversionState.WAITING not in states:
        upload.state, upload.finished_at = UploadState.FAILED, now
        upload.error_code = UploadError.GAVE_UP
        _finished_tell(upload, now)


def _finished_tell(upload: Upload, now: datetime) -> None:
    """Have the tenant's webhooks hear of it (conversions/webhook_types.py)."""
    told = {
        "id": str(upload.uuid),
        "filename": upload.filename,
        "state": upload.state,
        "error": upload.error_code,
    }
    webhook_tell(kind="upload.finished", about=[(upload.tenant, told)], now=now)


def _rows(upload: Upload) -> dict[Variant, Conversion]:
    return {(row.preset_code, row.preset_version): row for row in upload.conversions.all()}
