"""What pages and the admin read. Every query starts from the tenant."""

import uuid
from collections import defaultdict
from collections.abc import Iterable

from django.db.models import QuerySet, Sum

from conversions.models import Conversion, ConversionState, Preset, Upload, VariantViews
from tenants.models import Tenant


def uploads(*, tenant: Tenant) -> QuerySet[Upload]:
    """Return a tenant's uploads that are not deleted, newest first, with their variants."""
    return _with_variants(tenant).filter(deleted_at=None)


def upload(*, tenant: Tenant, upload_id: uuid.UUID, even_deleted: bool = False) -> Upload | None:
    """Return one of a tenant's uploads, None where it is not theirs or deleted."""
    mine = _with_variants(tenant) if even_deleted else uploads(tenant=tenant)
    return mine.filter(uuid=upload_id).first()


def _with_variants(tenant: Tenant) -> QuerySet[Upload]:
    mine = Upload.objects.filter(tenant=tenant).select_related("tenant")
    return mine.prefetch_related("conversions")


def views(*, uploads: Iterable[Upload]) -> dict[int, dict[str, int]]:
    """Return how often each upload's variants were delivered, by its id and the preset's code."""
    days = VariantViews.objects.filter(upload__in=uploads).order_by()
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for upload_id, code, total in days.values_list("upload_id", "preset_code").annotate(
        total=Sum("views")
    ):
        found[upload_id][code] = total
    return found


def variant(*, tenant: Tenant, upload_id: uuid.UUID, conversion_id: int) -> Conversion | None:
    """Return a variant that is there, None where the tenant has no such one."""
    made = Conversion.objects.filter(state=ConversionState.DONE).select_related("upload")
    return made.filter(
        upload__tenant=tenant, upload__deleted_at=None, upload__uuid=upload_id, pk=conversion_id
    ).first()


def presets() -> QuerySet[Preset]:
    """Return the presets by which variants are made now."""
    return Preset.objects.filter(is_active=True)
