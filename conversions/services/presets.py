"""Presets: what an operator edits, and those that a fresh installation has."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from conversions.models import AppliesTo, Fit, Format, Preset
from tenants import queue
from tenants.models import User
from tenants.services import audit_record

SEEDED: tuple[dict[str, Any], ...] = (
    {
        "code": "thumb",
        "name": "Thumbnail",
        "width": 200,
        "height": 200,
        "fit": Fit.COVER,
        "format": Format.WEBP,
        "quality": 80,
    },
    {"code": "web", "name": "Web", "width": 1280, "format": Format.JPEG, "quality": 82},
    {"code": "avif", "name": "AVIF", "width": 640, "format": Format.AVIF, "quality": 60},
    {
        "code": "pdf-page",
        "name": "First page",
        "applies_to": AppliesTo.PDF,
        "width": 1280,
        "format": Format.JPEG,
        "quality": 82,
    },
    {"code": "utf8", "name": "UTF-8", "applies_to": AppliesTo.TEXT, "format": Format.ORIGINAL},
    {"code": "json", "name": "JSON", "applies_to": AppliesTo.TEXT, "format": Format.JSON},
    {"code": "csv", "name": "CSV", "applies_to": AppliesTo.TEXT, "format": Format.CSV},
)


@transaction.atomic
def preset_save(*, preset: Preset, now: datetime, actor: User | None = None) -> Preset:
    """Validate and save a preset; where its variants would differ, as its next version.

    The sweep publishes it for every tenant, after its watermark (watermarks.py): asked for at once,
    and finished by later ones.

    Raise django.core.exceptions.ValidationError where a field is out of range.
    """
    stored = Preset.objects.select_for_update().filter(pk=preset.pk).first()
    preset.full_clean()
    preset.watermark_published_at = None
    if stored is not None:
        if stored.watermark_key == preset.watermark_key:
            preset.watermark_published_at = stored.watermark_published_at
        differs = any(getattr(stored, name) != getattr(preset, name) for name in Preset.MAKING)
        preset.version = stored.version + differs
    preset.save()
    queue.on_commit("conversions.tasks.edge_sweep", queue="default")
    audit_record(
        action="preset.saved",
        tenant=None,
        actor=actor,
        now=now,
        target=preset.code,
        version=preset.version,
        is_active=preset.is_active,
    )
    return preset


def presets_seed(*, now: datetime | None = None) -> None:
    """Create the presets that a fresh installation has; what an operator changed stays."""
    for fields in SEEDED:
        if not Preset.objects.filter(code=fields["code"]).exists():
            preset_save(preset=Preset(**fields), now=now or timezone.now())
