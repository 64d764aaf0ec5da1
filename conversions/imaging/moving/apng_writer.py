"""Write an animated PNG: each frame is the part that has changed, as Pillow encodes it.

Pillow's own writer would hold all frames, and leave out those that repeat one.
"""

import struct
from collections.abc import Callable, Iterator

from PIL import Image, ImageChops

from conversions.imaging.moving.chunks import PNG_SIGNATURE, png_chunk, png_chunks
from conversions.imaging.moving.film import Frame, Ticks

Encode = Callable[[Image.Image], bytes]
_UNIT = 1000  # ticks of a second


def write_apng(frames: Iterator[Frame], plays: int, encode: Encode) -> bytes:
    """Return a PNG of these frames, encoded one by one. Of the first all chunks are kept."""
    ticks = Ticks(unit=1000 / _UNIT, most=65_535)
    head: list[bytes] = []
    body: list[bytes] = []
    count = number = 0
    before: Image.Image | None = None
    for frame in frames:
        box = changed(before, frame.image)
        data = encode(frame.image.crop(box))
        control = struct.pack(
            ">5I2H2B",
            *(number, box[2] - box[0], box[3] - box[1], box[0], box[1]),
            *(ticks.of(frame.duration), _UNIT, 0, 0),  # it stays, and replaces what was
        )
        body.append(png_chunk(b"fcTL", control))
        number += 1
        for name, place in png_chunks(data):
            if name == b"IDAT" and before is not None:
                body.append(png_chunk(b"fdAT", struct.pack(">I", number) + data[place]))
                number += 1
            elif name == b"IDAT":
                body.append(png_chunk(name, data[place]))
            elif before is None:
                head.append(png_chunk(name, data[place]))
        before = frame.image.copy()
        count += 1
    animation = png_chunk(b"acTL", struct.pack(">II", count, plays))
    return b"".join([PNG_SIGNATURE, *head, animation, *body, png_chunk(b"IEND", b"")])


def changed(before: Image.Image | None, image: Image.Image) -> tuple[int, int, int, int]:
    """Return the box of what differs from the frame before; of a pixel if nothing does."""
    if before is None:
        return (0, 0, *image.size)
    return ImageChops.difference(before, image).getbbox(alpha_only=False) or (0, 0, 1, 1)
