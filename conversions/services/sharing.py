"""What the functions have to know of uploads: that they are there, who may see them, that they are
gone, that they failed where the functions cannot know.

People change it here, and callers by the API, whose changes come as reports (results.py). Each has
a revision, and the newest wins, in whatever order they are heard of. What a row says is told to the
functions, after callers' changes as well: so both sides agree in the end.
"""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from conversions.backend.uploads import Told, upload_failed, upload_told
from conversions.models import Upload, UploadError
from tenants import queue
from tenants.models import User
from tenants.services import audit_record


def revision_next(*, upload: Upload, now: datetime) -> int:
    """Return the revision of a change that is made now, newer than all that is known here."""
    return max(upload.revision + 1, int(now.timestamp() * 1000))


def revisions_next(*, now: datetime) -> Greatest:
    """Return the same for an update of many rows at once."""
    return Greatest(F("revision") + 1, Value(int(now.timestamp() * 1000)))


@transaction.atomic
def upload_publish(*, upload: Upload, is_public: bool, actor: User, now: datetime) -> None:
    """Give an upload's variants an address that everybody may open, or take it away for good.

    As it is already, or deleted, nothing is done.
    """
    locked = Upload.objects.select_for_update().get(pk=upload.pk)
    if locked.deleted_at is not None or is_public == (locked.public_id is not None):
        return
    published_as(
        locked=locked,
        public_id=uuid.uuid4() if is_public else None,
        revision=revision_next(upload=locked, now=now),
        actor=actor,
        now=now,
    )


def published_as(
    *,
    locked: Upload,
    public_id: uuid.UUID | None,
    revision: int,
    now: datetime,
    actor: User | None = None,
    key: str = "",
) -> None:
    """Note under which id everybody may see a locked upload's variants; None: under none.

    An older revision than the row's changes nothing. A caller's change has no actor, but the
    name of the `key` that they called with.
    """
    if revision <= locked.revision:
        return
    was_public = locked.public_id is not None
    locked.public_id, locked.revision = public_id, revision
    locked.save(update_fields=["public_id", "revision"])
    if was_public != (public_id is not None):
        audit_record(
            action="upload.unpublished" if was_public else "upload.published",
            tenant=locked.tenant,
            actor=actor,
            now=now,
            target=locked.filename,
            **({"key": key} if key else {}),
        )
    tell_soon()


def tell_soon() -> None:
    """Queue that the functions are told, once the transaction commits."""
    queue.on_commit("conversions.tasks.uploads_tell", queue="default")


def uploads_tell(*, limit: int = 500) -> int:
    """Tell the functions what they do not know yet; return of how many uploads.

    Of one of which they know a newer change, that is on its way here, and they are told after it.
    Raise BackendError.
    """
    untold = Upload.objects.filter(known_revision__lt=F("revision")).select_related("tenant")
    told = 0
    for upload in untold.order_by("id")[:limit]:
        was_taken = upload_told(
            tenant=str(upload.tenant.uuid),
            upload=str(upload.uuid),
            told=Told(
                filename=upload.filename,
                created_at=upload.created_at,
                public_id=upload.public_id,
                is_deleted=upload.deleted_at is not None,
                revision=upload.revision,
            ),
        )
        if was_taken:
            told += 1
            # Unless it has changed meanwhile: then it is told again.
            Upload.objects.filter(pk=upload.pk, revision=upload.revision).update(
                known_revision=upload.revision
            )
    return told


def failure_tell(*, upload: Upload, error: UploadError) -> None:
    """Let those who ask by the API know why an upload failed. Raise BackendError."""
    upload_failed(
        tenant=str(upload.tenant.uuid),
        upload=str(upload.uuid),
        code=error.value,
        text=str(error.label),
    )
