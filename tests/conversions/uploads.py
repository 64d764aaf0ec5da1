"""Uploads and variants as rows alone."""

from django.utils import timezone

from conversions.models import Conversion, ConversionState, Upload, UploadState
from tenants.models import Tenant


def an_upload(tenant: Tenant, state: str = UploadState.DONE, **values: object) -> Upload:
    now = timezone.now()
    fields = {"filename": "a.jpg", "declared_size": 9, "created_at": now, "checked_at": now}
    return Upload.objects.create(tenant=tenant, state=state, **{**fields, **values})


def a_variant(upload: Upload) -> Conversion:
    return Conversion.objects.create(
        upload=upload, preset_code="thumb", preset_version=1, state=ConversionState.DONE,
        key="variants/x", format="webp", bytes=5, width=2, height=1,
    )  # fmt: skip
