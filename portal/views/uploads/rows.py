"""An upload as the page shows it: its variants, one for each preset, and what they save."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from conversions import selectors
from conversions.models import (
    AppliesTo,
    Conversion,
    ConversionState,
    Fit,
    Preset,
    Upload,
)

BUSY = timedelta(minutes=2)  # after the last news, the page asks less often
SOON, LATER = 1, 15  # seconds until it asks again
# What an <img> shows, by the formats that sources come in.
SHOWN_BY_BROWSERS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
TEXTS = frozenset({"txt", "csv", "json"})
DECLARED_KINDS = {"application/pdf": AppliesTo.PDF, "application/json": AppliesTo.TEXT}
SHAPE = 4, 3  # of a variant whose preset does not say


@dataclass(frozen=True)
class Tile:
    """One preset's variant: there, awaited or failed. `width` and `height` are then its shape."""

    code: str
    name: str
    state: str
    conversion: Conversion | None
    width: int
    height: int
    error: str = ""
    views: int = 0
    percent: int = 0  # smaller than the original; below zero where it is larger
    frame: str = "cover"  # how the original fills the variant's frame, beside it
    focus: str = "50% 50%"

    @property
    def is_text(self) -> bool:
        return self.conversion is not None and self.conversion.format in TEXTS


@dataclass(frozen=True)
class Savings:
    """Bytes of variants, beside the original's in place of each of them."""

    originals: int = 0
    variants: int = 0

    def __add__(self, other: "Savings") -> "Savings":
        return Savings(self.originals + other.originals, self.variants + other.variants)

    @property
    def saved(self) -> int:
        return self.originals - self.variants

    @property
    def percent(self) -> int:
        return percent(self.variants, of=self.originals)


@dataclass(frozen=True)
class Row:
    """One upload. `ask_again` is in how many seconds there may be news, 0 for never.

    `kept_until` is when it may go by itself, None for never.
    """

    upload: Upload
    tiles: Sequence[Tile]
    savings: Savings
    ask_again: int
    views: int
    kept_until: datetime | None

    @property
    def made(self) -> int:
        return sum(tile.conversion is not None for tile in self.tiles)

    @property
    def source_type(self) -> str:
        """The media type, where browsers can show the original."""
        return SHOWN_BY_BROWSERS.get(self.upload.format, "")

    @property
    def cursor(self) -> str:
        return str(selectors.Cursor.of(self.upload))

    @property
    def version(self) -> str:
        """Change with whatever the page shows."""
        tiles = [
            (tile.code, tile.state, tile.conversion and tile.conversion.pk, tile.views)
            for tile in self.tiles
        ]
        shown = (self.upload.state, self.upload.error_code, self.upload.width, self.ask_again)
        text = f"{shown} {self.upload.bytes} {self.upload.public_id} {self.kept_until} {tiles}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def rows(uploads: Sequence[Upload]) -> list[Row]:
    """Return a tenant's uploads that were read with their variants, for the page.

    A handful of queries for all.
    """
    if not uploads:
        return []
    views, now = selectors.views(uploads=uploads), timezone.now()
    presets = {preset.code: preset for preset in Preset.objects.defer("watermark")}
    kept_until = selectors.kept_until(tenant=uploads[0].tenant, uploads=uploads, now=now)
    return [
        _row(each, presets, views.get(each.pk, {}), kept_until.get(each.pk), now)
        for each in uploads
    ]


def savings(of: Iterable[Row]) -> Savings:
    return sum((row.savings for row in of), Savings())


def percent(part: int, *, of: int) -> int:
    """Return by how much a part is smaller, in whole percent; 99 at most, for something is left."""
    return min(99, round(100 * (of - part) / of)) if of else 0


def _row(
    upload: Upload,
    presets: dict[str, Preset],
    views: dict[str, int],
    kept_until: datetime | None,
    now: datetime,
) -> Row:
    newest = _newest(upload.conversions.all())
    order = [*presets, *newest]  # of presets that are no more, behind the others
    tiles = [
        _tile(upload, newest[code], presets.get(code), views.get(code, 0))
        for code in sorted(newest, key=order.index)
    ]
    if not tiles and not upload.is_finished:
        # Until it is known what will be made, what most likely will: so that nothing jumps.
        kind = _likely_kind(upload)
        tiles = [
            _awaited(preset.code, preset)
            for preset in presets.values()
            if preset.is_active and preset.applies_to == kind
        ]
    # Of what is still the same: a picture of a page is not a smaller document.
    is_alike = upload.file_type == AppliesTo.IMAGE and upload.bytes is not None
    sizes = [tile.conversion.bytes or 0 for tile in tiles if tile.conversion and is_alike]
    is_busy = (upload.checked_at or now) > now - BUSY
    return Row(
        upload=upload,
        tiles=tiles,
        savings=Savings((upload.bytes or 0) * len(sizes), sum(sizes)),
        ask_again=0 if upload.is_finished else SOON if is_busy else LATER,
        views=sum(views.get(tile.code, 0) for tile in tiles if tile.conversion),
        kept_until=kept_until,
    )


def _likely_kind(upload: Upload) -> str:
    """Return what a file is; where nobody has looked into it yet, what its sender says."""
    if upload.format:
        return upload.file_type
    if upload.declared_type.startswith("text/"):
        return AppliesTo.TEXT
    return DECLARED_KINDS.get(upload.declared_type, upload.file_type)


def _newest(conversions: Iterable[Conversion]) -> dict[str, Conversion]:
    """Return one of each preset: the newest, or what is there while that is still being made."""
    newest: dict[str, Conversion] = {}
    for each in sorted(conversions, key=lambda each: each.preset_version):
        if each.state != ConversionState.WAITING or each.preset_code not in newest:
            newest[each.preset_code] = each
    return newest


def _tile(upload: Upload, made: Conversion, preset: Preset | None, views: int) -> Tile:
    if made.state != ConversionState.DONE:
        return _awaited(
            made.preset_code, preset, state=made.state, error=made.get_error_code_display()
        )
    is_picture = upload.file_type == AppliesTo.IMAGE
    fit = preset.fit if preset and preset.version == made.preset_version else ""
    focus = f"{preset.focal_x}% {preset.focal_y}%" if preset and fit == Fit.CROP else "50% 50%"
    return Tile(
        code=made.preset_code,
        name=preset.name if preset else made.preset_code,
        state=made.state,
        conversion=made,
        width=made.width or SHAPE[0],
        height=made.height or SHAPE[1],
        views=views,
        percent=percent(made.bytes or 0, of=upload.bytes or 0) if is_picture else 0,
        frame="contain" if fit in (Fit.CONTAIN, Fit.PAD) else "cover",
        focus=focus,
    )


def _awaited(
    code: str, preset: Preset | None, *, state: str = ConversionState.WAITING, error: str = ""
) -> Tile:
    width, height = (preset.width, preset.height) if preset else (None, None)
    if width is None or height is None:
        width, height = SHAPE
    name = preset.name if preset else code
    return Tile(code, name, state, None, width, height, error=error)
