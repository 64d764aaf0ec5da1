"""What a run of re-making goes through, and how far it is. Of all tenants: for operators alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from conversions.filetypes import TextRecipe
from conversions.models import (
    Conversion,
    ConversionState,
    Preset,
    Remake,
    RemakeState,
    Upload,
    UploadError,
    UploadState,
)
from tenants.models import TenantState


def remake_uploads(*, preset: Preset, before: datetime) -> QuerySet[Upload]:
    """Return the uploads of before then that a preset is for, oldest first.

    Their files were converted before, if only in part, by whatever presets there were; a tenant who
    asked for certain presets asked for this one, too.
    """
    converted = Q(state__in=[UploadState.PROCESSING, UploadState.DONE]) | Q(
        error_code=UploadError.GAVE_UP
    )
    meant = Q(requested="") | Q(requested__contains=f" {preset.code} ")
    tables = _tables_of(preset)
    uploads = Upload.objects.filter(
        converted,
        meant,
        Q(format=tables, is_table=True) if tables else Q(format__gt=""),
        deleted_at=None,
        file_type=preset.applies_to,
        created_at__lt=before,
        tenant__state=TenantState.ACTIVE,
    )
    return uploads.order_by("id")


def _tables_of(preset: Preset) -> str | None:
    """Return the format of the tables that a preset is for; None: it is for any file."""
    recipe = preset.recipe()
    return recipe.format.tables_of if isinstance(recipe, TextRecipe) else None


def remake_missing(*, preset: Preset, before: datetime) -> int:
    """Count the uploads that lack the preset's variant as it is now."""
    return remake_uploads(preset=preset, before=before).exclude(_has_variant(preset)).count()


class Candidate(NamedTuple):
    """An upload that a run looks at: its row, its id and its tenant's at the functions'."""

    pk: int
    upload: UUID
    tenant: UUID
    has_variant: bool


def remake_batch(*, remake: Remake, most: int) -> list[Candidate]:
    """Return the next uploads behind a run's cursor."""
    uploads = remake_uploads(preset=remake.preset, before=remake.created_at)
    rows = uploads.filter(pk__gt=remake.cursor).values_list(
        "pk", "uuid", "tenant__uuid", _has_variant(remake.preset)
    )
    return [Candidate(*row) for row in rows[:most]]


def _has_variant(preset: Preset) -> Exists:
    made = _conversions(preset.code, preset.version).filter(state=ConversionState.DONE)
    return Exists(made.filter(upload=OuterRef("pk")))


def remake_awaited(*, remake: Remake) -> QuerySet[Upload]:
    """Return the uploads behind a run's cursor of which no report has come, oldest first.

    Of what was deleted since, or refused, none is awaited.
    """
    reported = _conversions(remake.preset.code, remake.preset_version).filter(
        state__in=[ConversionState.DONE, ConversionState.FAILED], upload=OuterRef("pk")
    )
    uploads = remake_uploads(preset=remake.preset, before=remake.created_at)
    return uploads.filter(pk__lte=remake.cursor).exclude(Exists(reported))


def remakes_awaited(*, most: int) -> dict[int, list[int]]:
    """Return the first uploads that are awaited, at most so many of each run, by the runs' ids."""
    runs = Remake.objects.filter(settled_at=None).select_related("preset")
    return {
        remake.pk: list(
            remake_awaited(remake=remake)
            .filter(pk__gt=remake.awaited_after)
            .values_list("pk", flat=True)[:most]
        )
        for remake in runs.defer("preset__watermark")
    }


class Outcome(NamedTuple):
    """What came of a run so far, in uploads."""

    made: int
    failed: int
    missing: int


def remake_outcome(*, remake: Remake) -> Outcome:
    """Return what came of a run: as it was noted where it is settled, else counted."""
    if remake.settled_at is not None:
        return Outcome(remake.made, remake.failed, remake.missing)
    reported = _conversions(remake.preset.code, remake.preset_version).filter(
        upload__created_at__lt=remake.created_at, upload__deleted_at=None
    )
    made = reported.filter(state=ConversionState.DONE, finished_at__gte=remake.created_at)
    failed = reported.filter(state=ConversionState.FAILED)
    return Outcome(made.count(), failed.count(), remake_awaited(remake=remake).count())


@dataclass(frozen=True)
class RemakeProgress:
    """How far a run is: `percent` of its uploads have the variant, or will not get it."""

    made: int
    failed: int
    percent: int
    is_moving: bool


def remake_progress(*, remake: Remake) -> RemakeProgress:
    """Say how far a run is. It goes on moving until all that it asked for was reported, or until
    there was no news for a while.
    """
    made, failed, missing = remake_outcome(remake=remake)
    settled = max(remake.looked_at - missing, 0)
    is_running = remake.state == RemakeState.RUNNING
    of = max(remake.total, remake.looked_at) if is_running else remake.looked_at
    return RemakeProgress(
        made=made,
        failed=failed,
        percent=settled * 100 // of if of else 100,
        is_moving=is_running or (missing > 0 and remake.settled_at is None),
    )


def _conversions(code: str, version: int) -> QuerySet[Conversion]:
    return Conversion.objects.filter(preset_code=code, preset_version=version).order_by()
