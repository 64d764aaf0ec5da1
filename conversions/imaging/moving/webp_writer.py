"""Write an animated WebP: each frame is the part that has changed, as Pillow encodes it.

Pillow's own writer would leave out frames that repeat one, and lets no other thread run.
"""

import struct
from collections.abc import Callable, Iterator

from PIL import Image

from conversions.imaging.moving.apng_writer import changed
from conversions.imaging.moving.chunks import webp_chunk, webp_chunks
from conversions.imaging.moving.film import Frame, Ticks

Encode = Callable[[Image.Image], bytes]
_PROFILE, _ALPHA, _EXIF, _MOVES = 0x20, 0x10, 0x08, 0x02  # what the file has
_REPLACES = 0x02  # a frame what was there, and stays
_LONGEST = (1 << 24) - 1  # milliseconds


def write_webp(frames: Iterator[Frame], plays: int, encode: Encode, *, exif: bytes) -> bytes:
    """Return a WebP of these frames, encoded one by one, with the EXIF and the first's profile."""
    ticks = Ticks(unit=1, most=_LONGEST)
    body: list[bytes] = []
    flags, profile, size = _MOVES, b"", (1, 1)
    before: Image.Image | None = None
    for frame in frames:
        left, top, right, bottom = changed(before, frame.image)
        left, top = left - left % 2, top - top % 2  # it is stored halved
        data = encode(frame.image.crop((left, top, right, bottom)))
        parts = [(name, data[place]) for name, place in webp_chunks(data)]
        pixels = [webp_chunk(*part) for part in parts if part[0] in {b"ALPH", b"VP8 ", b"VP8L"}]
        where = (left // 2, top // 2, right - left - 1, bottom - top - 1, ticks.of(frame.duration))
        control = b"".join(_three(value) for value in where) + bytes((_REPLACES,))
        body.append(webp_chunk(b"ANMF", control + b"".join(pixels)))
        if before is None:
            profile, size = dict(parts).get(b"ICCP", b""), frame.image.size
            flags |= _ALPHA if frame.image.mode in {"RGBA", "LA"} else 0
        before = frame.image.copy()
    flags |= (_PROFILE if profile else 0) | (_EXIF if exif else 0)
    canvas = bytes((flags, 0, 0, 0)) + _three(size[0] - 1) + _three(size[1] - 1)
    chunks = [
        webp_chunk(b"VP8X", canvas),
        *([webp_chunk(b"ICCP", profile)] if profile else []),
        webp_chunk(b"ANIM", struct.pack("<IH", 0, min(plays, 65_535))),
        *body,
        *([webp_chunk(b"EXIF", exif.removeprefix(b"Exif\0\0"))] if exif else []),
    ]
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")
