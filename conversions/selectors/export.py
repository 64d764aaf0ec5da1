"""This app's part of what a tenant takes along: what it uploaded, and the files as they came."""

from collections.abc import Iterable, Iterator
from functools import partial

from django.utils.translation import gettext_lazy as _

from conversions import backend
from conversions.archive import Names
from conversions.models import Upload
from tenants.export import Folder, Part, PartMissing, table
from tenants.models import Tenant

_AT_ONCE = 200  # rows that are read together
_COLUMNS = {
    "id": "uuid", "filename": "filename", "state": "state", "error": "error_code",
    "kind": "file_type", "format": "format", "width": "width", "height": "height",
    "bytes": "bytes", "uploaded_by": "created_by__email", "uploaded_at": "created_at",
    "is_public_as": "public_id",
}  # fmt: skip


def export_parts(*, tenant: Tenant) -> Iterator[Part | Folder]:
    """Yield what this app knows of a tenant."""
    uploads = Upload.objects.filter(tenant=tenant, deleted_at=None).order_by("created_at", "id")
    rows = uploads.values_list(*_COLUMNS.values())
    yield Part(
        "uploads.csv",
        _("Your uploads."),
        lambda: table(list(_COLUMNS), rows.iterator(_AT_ONCE)),
    )
    yield Folder(
        "uploads/",
        _("The files that you uploaded. Variants are on the page of uploads."),
        lambda: _originals(tenant),
    )


def _originals(tenant: Tenant) -> Iterator[Part]:
    """Yield the originals that have come, as far as is known."""
    came = Upload.objects.filter(tenant=tenant, deleted_at=None, bytes__isnull=False)
    names = Names()
    for upload in came.select_related("tenant").order_by("created_at", "id").iterator(_AT_ONCE):
        yield Part(names.take(upload.filename), "", partial(_pieces, upload.source_key))


def _pieces(key: str) -> Iterable[bytes]:
    try:
        pieces = backend.object_pieces(key=key)
        if pieces is None:
            raise PartMissing(_("It is not kept any more."))
        yield from pieces
    except backend.BackendError as error:
        raise PartMissing(_("The storage could not be reached.")) from error
