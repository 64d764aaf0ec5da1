"""What a watermark may be: a small PNG, which goes along with a preset's row."""

import io

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from PIL import Image

MOST_BYTES = 256_000
MOST_PIXELS = 4_000_000
_START = b"\x89PNG\r\n\x1a\n"
_SIDES = slice(16, 24)  # where the header has width and height, four bytes each


def watermark_validate(data: bytes) -> None:
    """Raise ValidationError for what is no PNG, is too large, or is damaged.

    Sizes come first: they are read from the header, before Pillow decodes a pixel.
    """
    if not data.startswith(_START) or len(data) < _SIDES.stop:
        raise ValidationError(_("A watermark is a PNG file; this is none."), code="not_png")
    if len(data) > MOST_BYTES:
        raise ValidationError(
            _("A watermark has at most %(most)d kB."),
            code="too_large",
            params={"most": MOST_BYTES // 1000},
        )
    sides = data[_SIDES]
    if int.from_bytes(sides[:4]) * int.from_bytes(sides[4:]) > MOST_PIXELS:
        raise ValidationError(
            _("A watermark has at most %(most)d megapixels."),
            code="too_many_pixels",
            params={"most": MOST_PIXELS // 1_000_000},
        )
    try:
        Image.open(io.BytesIO(data), formats=["PNG"]).load()
    except Exception as error:  # Pillow raises nearly anything on broken data
        raise ValidationError(_("The PNG is damaged or cut off."), code="damaged") from error
