"""What a preset makes of a file, before anybody saves it: by the very code that the functions run.

drawings.py   pictures, a document and a table to try it on
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversions import filetypes
from conversions.filetypes import AnyRecipe
from conversions.models import AppliesTo
from conversions.previews import drawings

MOST_SECONDS = 20.0  # an operator waits, and a web process is busy


@dataclass(frozen=True)
class Sample:
    """A file to try presets on. `draw` takes up to a second, `data` once per process."""

    code: str
    label: Promise
    kind: AppliesTo
    media_type: str
    draw: Callable[[], bytes]

    @property
    def data(self) -> bytes:
        return _drawn(self.draw)


SAMPLES = {
    sample.code: sample
    for sample in (
        Sample("landscape", _("Hills at dawn"), AppliesTo.IMAGE, "image/jpeg", drawings.landscape),
        Sample("portrait", _("Gate, upright"), AppliesTo.IMAGE, "image/jpeg", drawings.portrait),
        Sample("emblem", _("Seal, transparent"), AppliesTo.IMAGE, "image/png", drawings.emblem),
        Sample("moving", _("Sun, moving"), AppliesTo.IMAGE, "image/gif", drawings.moving),
        Sample("page", _("Letters and lines"), AppliesTo.IMAGE, "image/png", drawings.page),
        Sample("document", _("PDF document"), AppliesTo.PDF, "application/pdf", drawings.document),
        Sample("table", _("Table in Shift_JIS"), AppliesTo.TEXT, "text/csv", drawings.table),
    )
}


@dataclass(frozen=True)
class Seen:
    """A file as it is shown: its format by name ("JPEG"), and its size in pixels, if it has any."""

    data: bytes
    format: str
    width: int | None
    height: int | None


@dataclass(frozen=True)
class Preview:
    """A file, and the variant of it with its media type and how long it took to make."""

    source: Seen
    variant: Seen
    media_type: str
    seconds: float


class DoesNotApply(Exception):
    """The preset makes nothing of files of this kind."""


def preview(*, data: bytes, recipe: AnyRecipe, watermark: bytes) -> Preview:
    """Make a variant as the functions do. Raise FileRefused or DoesNotApply.

    `watermark` has the bytes of the one that the recipe names, if any.
    """
    kind = filetypes.identify(data)
    header = kind.inspect(data)
    recipes = kind.applicable(header, [recipe])
    if not recipes:
        raise DoesNotApply
    key = getattr(getattr(recipe, "watermark", None), "key", None)
    watermarks = {key: watermark} if key else {}
    begun = time.perf_counter()
    [(made_by, made)] = kind.convert(data, recipes, watermarks=watermarks, seconds=MOST_SECONDS)
    seconds = time.perf_counter() - begun
    return Preview(
        source=Seen(data, header.format, header.width, header.height),
        variant=Seen(made.data, made_by.format.value.upper(), made.width, made.height),
        media_type=made_by.format.media_type,
        seconds=seconds,
    )


@cache
def _drawn(draw: Callable[[], bytes]) -> bytes:
    return draw()
