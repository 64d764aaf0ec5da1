"""What pages and the admin read. Every query starts from the tenant."""

import uuid

from django.db.models import QuerySet

from conversions.models import Conversion, ConversionState, Preset, Upload
from tenants.models import Tenant


def uploads(*, tenant: Tenant) -> QuerySet[Upload]:
    """Return a tenant's uploads that are not deleted, newest first, with their conversions."""
    mine = Upload.objects.filter(tenant=tenant, deleted_at=None).select_related("tenant")
    return mine.prefetch_related("conversions")


def upload(*, tenant: Tenant, upload_id: uuid.UUID) -> Upload | None:
    """Return one of a tenant's uploads, None where it is not theirs or deleted."""
    return uploads(tenant=tenant).filter(uuid=upload_id).first()


def variant(*, tenant: Tenant, upload_id: uuid.UUID, conversion_id: int) -> Conversion | None:
    """Return a variant that is there, None where the tenant has no such one."""
    made = Conversion.objects.filter(state=ConversionState.DONE).select_related("upload")
    return made.filter(
        upload__tenant=tenant, upload__deleted_at=None, upload__uuid=upload_id, pk=conversion_id
    ).first()


def presets() -> QuerySet[Preset]:
    """Return the presets by which variants are made now."""
    return Preset.objects.filter(is_active=True)
