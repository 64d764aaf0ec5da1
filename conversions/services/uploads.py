"""Uploads: a file that is to come, and its end. The browser posts the file straight to S3.

Nobody tells us that it did: S3 tells the functions, and they report (results.py). The sweep asks S3
about files that nobody has reported on, for an event or a report can be lost.
"""

import unicodedata
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from conversions import backend
from conversions.backend.uploads import upload_forgotten
from conversions.models import Upload, UploadError, UploadState
from conversions.services import progress
from conversions.services.sharing import failure_tell, revision_next, tell_soon, uploads_tell
from tenants import queue
from tenants.errors import Invalid, Refused
from tenants.models import Tenant, User
from tenants.services import audit_record, tenant_open_check

log = structlog.get_logger(__name__)

LOOK_AFTER = timedelta(minutes=2)  # without a word from the functions
ABANDONED_AFTER = timedelta(seconds=backend.LINK_SECONDS)  # the form is no longer good
STUCK_AFTER = timedelta(hours=2)  # three tries of a function, half an hour apart, and then some
UNDO_FOR = timedelta(seconds=60)  # in which what was deleted can be brought back
PURGE_AFTER = UNDO_FOR * 2  # clocks differ, and a request may be slow
PURGE_SECONDS = 30  # of the minute between two sweeps
MOST_PURGED = 5000  # rows that are read for a sweep: more than it gets through
MOST_UNFINISHED = 2000  # of a tenant, begun here: the sweep asks S3 for each
FORGET_AFTER = timedelta(days=15)  # a report waits in its queue for two weeks at most
UNSEEN = frozenset({"Cc", "Cf", "Cs"})  # Unicode's categories
JOINERS = "\u200c\u200d"  # unseen, too, but Persian, Hindi and emoji are spelt with them


def upload_create(
    *,
    tenant: Tenant,
    filename: str,
    size: int,
    content_type: str,
    actor: User | None,
    now: datetime,
) -> tuple[Upload, backend.PresignedPost]:
    """Write an upload whose file is to come; return it with the form to post the file with.

    Raise Invalid for a file without a name, or of a size that S3 would refuse, Refused where too
    many are unfinished or the tenant is being deleted, and BackendError, with nothing written,
    where no form can be had. What the file really is, is decided by its bytes, later.
    """
    filename = storable(filename.replace("\\", "/").rsplit("/", 1)[-1].strip(), most=255)
    content_type = storable(content_type, most=100)
    if not filename:
        raise Invalid(_("The file has no name."), field="filename")
    if size < backend.SMALLEST:
        raise Invalid(_("“%(name)s” is empty.") % {"name": filename}, field="size")
    if size > backend.LARGEST:
        text = _("“%(name)s” is too large: at most %(most)d MB.")
        told = {"name": filename, "most": backend.LARGEST // 1_000_000}
        raise Invalid(text % told, field="size")
    tenant_open_check(tenant=tenant)
    unfinished = Upload.objects.filter(
        tenant=tenant,
        deleted_at=None,
        declared_size__isnull=False,
        state__in=[UploadState.WAITING, UploadState.PROCESSING],
    )
    if unfinished.count() >= MOST_UNFINISHED:
        raise Refused(
            _("Too many files are unfinished: at most %(most)d. Please wait until some are done.")
            % {"most": MOST_UNFINISHED}
        )
    upload = Upload(
        tenant=tenant,
        created_by=actor,
        filename=filename,
        declared_size=size,
        declared_type=content_type,
        created_at=now,
        checked_at=now,
    )
    upload.revision = revision_next(upload=upload, now=now)
    form = backend.upload_form(key=upload.source_key, content_type=content_type)
    upload.save(force_insert=True)
    tell_soon()
    return upload, form


def storable(text: str, *, most: int) -> str:
    """Return text without what nobody sees, and not too long.

    Control characters and halves of characters, which some column or header does not hold, and
    format characters, by which a name can read as another one.
    """
    return "".join(
        each for each in text if each in JOINERS or unicodedata.category(each) not in UNSEEN
    )[:most]


@transaction.atomic
def upload_retry(*, upload: Upload, actor: User | None, now: datetime) -> None:
    """Have the variants made that are missing, of an upload that failed for a reason that may have
    passed.

    Raise Refused where it did not fail, or where the file itself is the reason.
    """
    locked = _locked(upload)
    if locked.deleted_at is not None or not locked.may_retry:
        raise Refused(_("“%(name)s” cannot be tried again.") % {"name": locked.filename})
    progress.restarted(locked)
    locked.save(update_fields=["state", "error_code", "checked_at", "finished_at"])
    audit_record(
        action="upload.retried", tenant=locked.tenant, actor=actor, now=now, target=locked.filename
    )
    queue.on_commit("conversions.tasks.uploads_sweep", queue="default")


@transaction.atomic
def upload_delete(
    *,
    upload: Upload,
    actor: User | None,
    now: datetime,
    key: str = "",
    revision: int | None = None,
) -> None:
    """Delete an upload for everybody; its objects go by a later sweep. Again does nothing.

    A caller of the API is no actor; `key` is the name of the key that they called with, `revision`
    that of their change.
    """
    locked = _locked(upload)
    if locked.deleted_at is not None:
        return
    locked.deleted_at, locked.revision = now, revision or revision_next(upload=locked, now=now)
    locked.save(update_fields=["deleted_at", "revision"])
    audit_record(
        action="upload.deleted",
        tenant=locked.tenant,
        actor=actor,
        now=now,
        target=locked.filename,
        **({"key": key} if key else {}),
    )
    tell_soon()


@transaction.atomic
def upload_restore(*, upload: Upload, actor: User | None, now: datetime) -> None:
    """Bring back what was deleted a moment ago. Where it is not deleted, do nothing.

    What was reported meanwhile was dropped, so the sweep asks after a file that was unfinished.
    Raise Refused where it is too late.
    """
    locked = _locked(upload)
    if locked.deleted_at is None:
        return
    if locked.deleted_at <= now - UNDO_FOR:
        raise Refused(_("“%(name)s” cannot be brought back any more.") % {"name": locked.filename})
    locked.deleted_at, locked.revision = None, revision_next(upload=locked, now=now)
    if not locked.is_finished:
        locked.state, locked.checked_at = UploadState.WAITING, None
        queue.on_commit("conversions.tasks.uploads_sweep", queue="default")
    locked.save(update_fields=["deleted_at", "revision", "state", "checked_at"])
    audit_record(
        action="upload.restored", tenant=locked.tenant, actor=actor, now=now, target=locked.filename
    )
    tell_soon()


def _locked(upload: Upload) -> Upload:
    """Return the upload's row, locked; its tenant's stays free for whatever else goes on."""
    locked = Upload.objects.select_for_update(of=("self",)).select_related("tenant")
    return locked.get(pk=upload.pk)


def uploads_sweep(*, now: datetime, limit: int = 200) -> None:
    """Look after what nobody reported on, and delete the objects of what was deleted.

    Raise BackendError where S3 cannot be asked; the next sweep goes on from there.
    """
    uploads_tell(limit=limit)
    live = Upload.objects.filter(deleted_at=None).select_related("tenant")
    # Whose turn was longest ago comes first: so one tenant's many hold up nobody for long.
    live = live.order_by(F("checked_at").asc(nulls_first=True), "id")
    unheard = Q(checked_at__lt=now - LOOK_AFTER) | Q(checked_at=None)
    for upload in live.filter(unheard, state=UploadState.WAITING)[:limit]:
        _look_after(upload, now)
    stuck = live.filter(state=UploadState.PROCESSING, checked_at__lt=now - STUCK_AFTER)
    for upload in stuck[:limit]:
        failure_tell(upload=upload, error=UploadError.GAVE_UP)
        # Unless something has been heard of it meanwhile.
        progress.given_up(stuck.filter(pk=upload.pk), now)
    # What was deleted while its file or a variant could still come is kept until none can.
    nothing_comes = Q(state__in=[UploadState.DONE, UploadState.FAILED]) | Q(
        deleted_at__lt=now - ABANDONED_AFTER - STUCK_AFTER
    )
    gone = Upload.objects.filter(deleted_at__lte=now - PURGE_AFTER).select_related("tenant")
    _purge_all(gone.filter(nothing_comes, purged_at=None), now)
    for upload in gone.filter(purged_at__lt=now - FORGET_AFTER).order_by("id")[:limit]:
        _purge(upload, now)  # a function that was late may have written once more
        upload.delete()


def _purge_all(uploads: QuerySet[Upload], now: datetime) -> None:
    """Delete the objects of these uploads, for PURGE_SECONDS; the next sweep goes on.

    Those that were deleted last come first: so what somebody deletes goes in a minute or two, even
    where thousands have expired before it.
    """
    until = monotonic() + PURGE_SECONDS
    for upload in uploads.order_by("-deleted_at", "-id")[:MOST_PURGED]:
        _purge(upload, now)
        Upload.objects.filter(pk=upload.pk).update(purged_at=now)
        if monotonic() >= until:
            return


def _purge(upload: Upload, now: datetime) -> None:
    backend.objects_delete(prefixes=upload.prefixes)
    upload_forgotten(
        tenant=str(upload.tenant.uuid),
        upload=str(upload.uuid),
        expires=int((now + FORGET_AFTER).timestamp()),
    )


def _look_after(upload: Upload, now: datetime) -> None:
    """Start the work on a file that lies there unnoticed; end the wait for one that never came.

    It is started once: if nothing is heard then, either, it will end as stuck.
    """
    changes: dict[str, Any] = {"checked_at": now}
    if backend.source_announce(key=upload.source_key):
        log.warning("upload.announced_again", upload=str(upload.uuid))
        changes["state"] = UploadState.PROCESSING
    elif upload.created_at < now - ABANDONED_AFTER:
        error = UploadError.NEVER_ARRIVED
        failure_tell(upload=upload, error=error)
        changes |= {"state": UploadState.FAILED, "error_code": error, "finished_at": now}
    # Unless the functions have been heard of meanwhile.
    Upload.objects.filter(pk=upload.pk, state=UploadState.WAITING).update(**changes)
