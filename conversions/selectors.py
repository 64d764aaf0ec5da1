"""What pages and the admin read. Every query starts from the tenant."""

import uuid

from django.db.models import QuerySet

from conversions.models import Preset, Upload, UploadState
from tenants.models import Tenant


def uploads(*, tenant: Tenant) -> QuerySet[Upload]:
    """Return a tenant's uploads that are not deleted, newest first, with their conversions."""
    mine = Upload.objects.filter(tenant=tenant, deleted_at=None).select_related("tenant")
    return mine.prefetch_related("conversions")


def upload(*, tenant: Tenant, upload_id: uuid.UUID) -> Upload | None:
    """Return one of a tenant's uploads, None where it is not theirs or deleted."""
    return uploads(tenant=tenant).filter(uuid=upload_id).first()


def has_unfinished(*, tenant: Tenant) -> bool:
    """Say whether something may still change by itself."""
    unfinished = [UploadState.WAITING, UploadState.PROCESSING]
    return uploads(tenant=tenant).filter(state__in=unfinished).exists()


def presets() -> QuerySet[Preset]:
    """Return the presets by which variants are made now."""
    return Preset.objects.filter(is_active=True)
