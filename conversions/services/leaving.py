"""This app's part in a tenant's end: its files, and what is known of them anywhere."""

from datetime import datetime

from conversions import backend
from conversions.backend.uploads import tenant_forgotten
from conversions.models import Upload
from tenants.models import Tenant
from tenants.services import leaving_parts_do

BATCH = 500  # uploads that one transaction deletes, with their variants' rows


def leaving_sweep(*, now: datetime) -> None:
    """Delete the files of the tenants that wait for it; S3's absence is the next sweep's."""
    leaving_parts_do(app="conversions", do=_forget, now=now)


def _forget(tenant: Tenant, _now: datetime) -> str:
    """Delete all objects, all that the functions know, then the rows. Raise BackendError.

    Its keys are stopped since it asked, and its forms were good for an hour: nothing comes.
    """
    backend.objects_delete(prefixes=[f"uploads/{tenant.uuid}/", f"variants/{tenant.uuid}/"])
    tenant_forgotten(tenant=str(tenant.uuid))
    uploads = Upload.objects.filter(tenant=tenant).order_by("id")
    while ids := list(uploads.values_list("pk", flat=True)[:BATCH]):
        Upload.objects.filter(pk__in=ids).delete()
    return ""
