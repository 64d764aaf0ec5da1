"""Uploads: a file that is to come, and its end. The browser posts the file straight to S3."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from conversions import backend
from conversions.models import Upload, UploadState
from tenants.errors import Refused
from tenants.models import Tenant, User
from tenants.services import audit_record

log = structlog.get_logger(__name__)

ABANDONED_AFTER = timedelta(hours=1)  # when the form to post with is no longer good
STUCK_AFTER = timedelta(minutes=30)  # three tries of a function, and then some


@transaction.atomic
def upload_create(
    *, tenant: Tenant, filename: str, size: int, content_type: str, actor: User, now: datetime
) -> Upload:
    """Write an upload whose file is to come. Raise Refused for a size that S3 would refuse.

    What the file really is, is decided by its bytes, later.
    """
    filename = filename.replace("\\", "/").rsplit("/", 1)[-1].strip()[:255]
    if not filename:
        raise Refused(_("The file has no name."))
    if size < backend.SMALLEST:
        raise Refused(_("“%(name)s” is empty.") % {"name": filename})
    if size > backend.LARGEST:
        raise Refused(
            _("“%(name)s” is too large: at most %(most)d MB.")
            % {"name": filename, "most": backend.LARGEST // 1_000_000}
        )
    return Upload.objects.create(
        tenant=tenant,
        created_by=actor,
        filename=filename,
        declared_size=size,
        declared_type=content_type[:100],
        created_at=now,
    )


@transaction.atomic
def upload_delete(*, upload: Upload, actor: User | None, now: datetime) -> None:
    """Delete an upload for everybody; its objects go in the background. Again does nothing."""
    locked = Upload.objects.select_for_update().select_related("tenant").get(pk=upload.pk)
    if locked.deleted_at is not None:
        return
    locked.deleted_at = now
    locked.save(update_fields=["deleted_at"])
    audit_record(
        action="upload.deleted",
        tenant=locked.tenant,
        actor=actor,
        now=now,
        target=locked.filename,
    )


def uploads_sweep(*, now: datetime, limit: int = 200) -> None:
    """End what nobody reported on, and delete the objects of what was deleted."""
    unfinished = Upload.objects.filter(
        state__in=[UploadState.WAITING, UploadState.PROCESSING], deleted_at=None
    )
    unfinished.filter(state=UploadState.WAITING, created_at__lt=now - ABANDONED_AFTER).update(
        state=UploadState.FAILED, error=_("The file never arrived."), finished_at=now
    )
    unfinished.filter(Q(checked_at__lt=now - STUCK_AFTER), state=UploadState.PROCESSING).update(
        state=UploadState.FAILED,
        error=_("Some variants could not be made, after three tries."),
        finished_at=now,
    )
    gone = Upload.objects.filter(deleted_at__isnull=False).select_related("tenant")
    for upload in gone.order_by("id")[:limit]:
        try:
            backend.objects_delete(
                prefixes=[
                    f"uploads/{upload.tenant.uuid}/{upload.uuid}/",
                    f"variants/{upload.tenant.uuid}/{upload.uuid}/",
                ]
            )
        except backend.BackendError as error:
            log.warning("upload.not_deleted", upload=str(upload.uuid), error=str(error))
            return
        upload.delete()
