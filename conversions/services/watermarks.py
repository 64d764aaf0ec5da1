"""Bring presets' watermarks to where the functions read them, before the presets themselves.

The row is the intent: a key without `watermark_published_at`. Whoever publishes presets (edge.py)
comes here first, so a crash after any step leaves only work for the next one. A watermark is never
deleted: it is small, and messages that wait in a queue may name it.
"""

from datetime import datetime

from conversions.backend.watermarks import watermark_put
from conversions.models import Preset


def watermarks_publish(*, now: datetime) -> None:
    """Write the watermarks that are not there yet. Raise BackendError.

    Again writes the same object. A row that has another watermark by now keeps waiting for it.
    """
    waiting = Preset.objects.filter(watermark_published_at=None).exclude(watermark_key="")
    for preset in waiting:
        watermark_put(key=preset.watermark_key, data=bytes(preset.watermark or b""))
        Preset.objects.filter(pk=preset.pk, watermark_key=preset.watermark_key).update(
            watermark_published_at=now
        )
