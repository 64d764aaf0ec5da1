"""Write an animated WebP: of each frame the blocks that have changed, as Pillow encodes them.

Pillow's own writer would leave out frames that repeat one, and lets no other thread run.
"""

import struct
from collections.abc import Callable, Iterator

from PIL import Image, ImageChops

from conversions.imaging.moving.chunks import webp_chunk, webp_chunks
from conversions.imaging.moving.film import Frame, Ticks

Encode = Callable[[Image.Image], bytes]
Box = tuple[int, int, int, int]
_PROFILE, _ALPHA, _EXIF, _MOVES = 0x20, 0x10, 0x08, 0x02  # what the file has
_LIES_ON, _REPLACES = 0x00, 0x02  # what a frame does to what was there; either stays
_PIXELS = {b"ALPH", b"VP8 ", b"VP8L"}
_BLOCK = 8  # pixels; a frame's place must be even
_LONGEST = (1 << 24) - 1  # milliseconds


def write_webp(
    frames: Iterator[Frame], plays: int, encode: Encode, *, alike: int, exif: bytes
) -> bytes:
    """Return a WebP of these frames, encoded one by one, with the EXIF and the first's profile.

    Shades that differ by no more than `alike` are taken for the same.
    """
    ticks = Ticks(unit=1, most=_LONGEST)
    first = next(frames)
    shown = first.image.convert("RGBA")
    chunks = _chunks(encode(shown))
    profile = chunks.get(b"ICCP", b"")
    body = [_frame(chunks, (0, 0), shown.size, ticks.of(first.duration), _REPLACES)]
    for frame in frames:
        image = frame.image.convert("RGBA")
        box, blocks = _changed(shown, image, alike)
        part = image.crop(box)
        kind = _REPLACES
        if part.getchannel("A").getextrema() == (255, 255):  # what has not changed shows through
            part.putalpha(blocks.crop(box))
            kind = _LIES_ON
        shown.paste(part, box[:2], part if kind == _LIES_ON else None)
        chunks = _chunks(encode(part))
        body.append(_frame(chunks, box[:2], part.size, ticks.of(frame.duration), kind))
    flags = _MOVES | _ALPHA | (_PROFILE if profile else 0) | (_EXIF if exif else 0)
    canvas = bytes((flags, 0, 0, 0)) + _three(shown.width - 1) + _three(shown.height - 1)
    content = [
        b"WEBP",
        webp_chunk(b"VP8X", canvas),
        webp_chunk(b"ICCP", profile) if profile else b"",
        webp_chunk(b"ANIM", struct.pack("<IH", 0, min(plays, 65_535))),
        *body,
        webp_chunk(b"EXIF", exif.removeprefix(b"Exif\0\0")) if exif else b"",
    ]
    return webp_chunk(b"RIFF", b"".join(content))


def _changed(shown: Image.Image, image: Image.Image, alike: int) -> tuple[Box, Image.Image]:
    """Return the box of the blocks that have changed, of one block if none has; and a mask."""
    red, green, blue, alpha = ImageChops.difference(shown, image).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), ImageChops.lighter(blue, alpha))
    differs = most.point([0] * (alike + 1) + [255] * (255 - alike))
    blocks = differs.reduce(_BLOCK).point([0] + [255] * 255)
    grid = (blocks.width * _BLOCK, blocks.height * _BLOCK)
    mask = blocks.resize(grid, Image.Resampling.NEAREST).crop((0, 0, *image.size))
    return mask.getbbox() or (0, 0, min(_BLOCK, image.width), min(_BLOCK, image.height)), mask


def _chunks(data: bytes) -> dict[bytes, bytes]:
    return {name: data[place] for name, place in webp_chunks(data)}


def _frame(
    chunks: dict[bytes, bytes], at: tuple[int, int], size: tuple[int, int], ticks: int, kind: int
) -> bytes:
    where = (at[0] // 2, at[1] // 2, size[0] - 1, size[1] - 1, ticks)
    control = b"".join(_three(value) for value in where) + bytes((kind,))
    pixels = [webp_chunk(name, body) for name, body in chunks.items() if name in _PIXELS]
    return webp_chunk(b"ANMF", control + b"".join(pixels))


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")
