"""Frames of an animated PNG (https://www.w3.org/TR/png-3/#apng-frame-based-animation).

Pillow mixes alpha of two frames wrongly, so that it decodes each by itself, and they are laid on
one another here.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from conversions.imaging.colour import to_rgb
from conversions.imaging.errors import damaged
from conversions.imaging.moving.chunks import PNG_SIGNATURE, png_chunk, png_chunks
from conversions.imaging.moving.film import Film, Frame
from conversions.imaging.png import scale_transparency

_TO_NOTHING, _TO_WHAT_WAS = 1, 2  # disposals
_OVER = 1  # a way to blend


@dataclass(frozen=True)
class _Part:
    """A frame's own pixels: where they go, for how long (milliseconds), and where they are."""

    box: tuple[int, int, int, int]
    duration: float
    disposal: int
    blend: int
    pixels: list[slice] = field(default_factory=list)


class _Apng:
    """What the chunks say. An image that stands before the first frame is not one of them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.header = b""
        self.shared: list[bytes] = []  # what every frame's decoder needs: palette, profile, …
        self.plays = 0
        self.parts: list[_Part] = []
        for name, body in png_chunks(data):
            self._take(name, body)
        self.size: tuple[int, int] = struct.unpack_from(">II", self.header)

    def _take(self, name: bytes, body: slice) -> None:
        content = self.data[body]
        if name == b"IHDR":
            self.header = content
        elif name == b"acTL":
            (self.plays,) = struct.unpack_from(">I", content, 4)
        elif name == b"fcTL":
            self.parts.append(_part(content))
        elif name == b"IDAT" and self.parts:
            self.parts[-1].pixels.append(body)
        elif name == b"fdAT" and self.parts:
            self.parts[-1].pixels.append(slice(body.start + 4, body.stop))
        elif name != b"IDAT" and not self.parts:
            self.shared.append(png_chunk(name, content))

    def still(self, part: _Part) -> bytes:
        """Return a frame's own pixels as a PNG, for Pillow to decode."""
        left, top, right, bottom = part.box
        header = struct.pack(">II", right - left, bottom - top) + self.header[8:]
        pixels = b"".join(self.data[each] for each in part.pixels)
        chunks = [png_chunk(b"IHDR", header), *self.shared, png_chunk(b"IDAT", pixels)]
        return b"".join([PNG_SIGNATURE, *chunks, png_chunk(b"IEND", b"")])


def _part(content: bytes) -> _Part:
    _, width, height, left, top, delay, per, disposal, blend = struct.unpack(">5I2H2B", content)
    box = (left, top, left + width, top + height)
    return _Part(box, 1000 * delay / (per or 100), disposal, blend)


def apng_film(data: bytes, *, srgb: bool) -> Film:
    """Raise FileRefused where the file is damaged. For `srgb` see colour.py."""
    try:
        apng = _Apng(data)
    except struct.error as error:
        raise damaged() from error
    return Film(apng.plays, lambda: _frames(apng, srgb=srgb))


def _frames(apng: _Apng, *, srgb: bool) -> Iterator[Frame]:
    canvas = Image.new("RGBA", apng.size)
    for number, part in enumerate(apng.parts):
        left, top, right, bottom = part.box
        if not (left < right <= apng.size[0] and top < bottom <= apng.size[1]):
            raise damaged()
        before = canvas.copy() if part.disposal == _TO_WHAT_WAS and number else canvas
        with Image.open(io.BytesIO(apng.still(part)), formats=("PNG",)) as opened:
            scale_transparency(cast("PngImageFile", opened))
            pixels = to_rgb(opened, srgb=srgb).convert("RGBA")
        if part.blend == _OVER:
            canvas.alpha_composite(pixels, (left, top))
        else:
            canvas.paste(pixels, (left, top))
        if profile := pixels.info.get("icc_profile"):
            canvas.info["icc_profile"] = profile
        yield Frame(canvas, part.duration)
        if part.disposal == _TO_NOTHING or (part.disposal == _TO_WHAT_WAS and not number):
            canvas.paste((0, 0, 0, 0), part.box)
        canvas = before
