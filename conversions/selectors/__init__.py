"""What pages and the admin read. Every query starts from the tenant, but for links of strangers.

Uploads are read in pages, each from where the last one ended (a cursor): a page far down costs what
the first one does. Nothing counts them.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet, Sum

from conversions import keeping
from conversions.links import Link
from conversions.models import Conversion, ConversionState, Preset, Upload, VariantViews
from tenants.models import Tenant

kept_until, retention_days = keeping.kept_until, keeping.retention_days

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cursor(NamedTuple):
    """The place of an upload among a tenant's, newest first."""

    created_at: datetime
    id: int

    @classmethod
    def of(cls, upload: Upload) -> "Cursor":
        return cls(upload.created_at, upload.pk)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read what str() wrote. Raise ValueError."""
        try:
            microseconds, number = (int(part) for part in text.split("-"))
            return cls(EPOCH + timedelta(microseconds=microseconds), number)
        except OverflowError as error:
            raise ValueError(text) from error

    def __str__(self) -> str:
        return f"{(self.created_at - EPOCH) // timedelta(microseconds=1)}-{self.id}"


@dataclass(frozen=True)
class Search:
    """Which uploads are wanted: by a part of the file's name, a state, a kind; "" for any."""

    text: str = ""
    state: str = ""
    kind: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.state or self.kind)


@dataclass(frozen=True)
class Page:
    """Uploads, newest first, and where the pages beside them end or begin, None without any."""

    uploads: Sequence[Upload]
    newer: Cursor | None
    older: Cursor | None


def uploads_page(
    *,
    tenant: Tenant,
    size: int,
    search: Search | None = None,
    before: Cursor | None = None,
    after: Cursor | None = None,
) -> Page:
    """Return the newest uploads, or those just before or after (newer than) a cursor."""
    found = uploads_found(tenant=tenant, search=search or Search())
    if after is not None:
        # By the index, from the cursor upwards; `gte` bounds it, the OR alone would not.
        found = found.filter(
            Q(created_at__gt=after.created_at) | Q(created_at=after.created_at, pk__gt=after.id),
            created_at__gte=after.created_at,
        )
        rows = list(found.order_by("created_at", "pk")[: size + 1])
        shown = rows[:size][::-1]
        return Page(
            uploads=shown,
            newer=Cursor.of(shown[0]) if len(rows) > size else None,
            older=Cursor.of(shown[-1]) if shown else None,
        )
    if before is not None:
        found = found.filter(
            Q(created_at__lt=before.created_at) | Q(created_at=before.created_at, pk__lt=before.id),
            created_at__lte=before.created_at,
        )
    rows = list(found[: size + 1])
    shown = rows[:size]
    return Page(
        uploads=shown,
        newer=Cursor.of(shown[0]) if shown and before is not None else None,
        older=Cursor.of(shown[-1]) if len(rows) > size else None,
    )


def uploads_found(*, tenant: Tenant, search: Search) -> QuerySet[Upload]:
    """Return the tenant's uploads that a search finds, newest first, with their variants."""
    found = uploads(tenant=tenant)
    if search.text:
        found = found.filter(filename__icontains=search.text)
    if search.state:
        found = found.filter(state=search.state)
    if search.kind:
        found = found.filter(file_type=search.kind)
    return found


def uploads(*, tenant: Tenant) -> QuerySet[Upload]:
    """Return a tenant's uploads that are not deleted, newest first, with their variants."""
    return _with_variants(tenant).filter(deleted_at=None)


def upload(*, tenant: Tenant, upload_id: uuid.UUID) -> Upload | None:
    """Return one of a tenant's uploads, None where it is not theirs or deleted."""
    return uploads(tenant=tenant).filter(uuid=upload_id).first()


def uploads_chosen(
    *, tenant: Tenant, upload_ids: Iterable[uuid.UUID], even_deleted: bool = False
) -> list[Upload]:
    """Return those of a tenant's uploads that are asked for, newest first."""
    mine = _with_variants(tenant) if even_deleted else uploads(tenant=tenant)
    return list(mine.filter(uuid__in=list(upload_ids)))


def uploads_deleted(
    *, tenant: Tenant, upload_ids: Iterable[uuid.UUID], since: datetime
) -> list[uuid.UUID]:
    """Return those of a tenant's uploads that were deleted after a moment."""
    gone = Upload.objects.filter(tenant=tenant, uuid__in=list(upload_ids), deleted_at__gt=since)
    return list(gone.values_list("uuid", flat=True))


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


def variant_public(*, public_id: uuid.UUID, preset_code: str) -> Conversion | None:
    """Return the newest variant that a preset made of a public upload, for anybody."""
    made = Conversion.objects.filter(state=ConversionState.DONE, upload__deleted_at=None)
    mine = made.filter(upload__public_id=public_id, preset_code=preset_code)
    return mine.order_by("-preset_version").first()


def variant_linked(*, link: Link) -> Conversion | None:
    """Return the variant that a signed link leads to, for anybody who has one."""
    made = Conversion.objects.filter(state=ConversionState.DONE, upload__deleted_at=None)
    return made.filter(
        upload__uuid=link.upload_id,
        preset_code=link.preset_code,
        preset_version=link.preset_version,
    ).first()


def current(conversions: Iterable[Conversion]) -> list[Conversion]:
    """Return the newest variant of each preset, by its code, of those that are there."""
    newest: dict[str, Conversion] = {}
    for each in sorted(conversions, key=lambda each: each.preset_version):
        if each.state == ConversionState.DONE:
            newest[each.preset_code] = each
    return [newest[code] for code in sorted(newest)]


def presets() -> QuerySet[Preset]:
    """Return the presets by which variants are made now."""
    return Preset.objects.filter(is_active=True)
