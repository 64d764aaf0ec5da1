"""How many frames a picture has, without decoding one; refused as soon as it has too many."""

import struct

from conversions.imaging.errors import damaged
from conversions.imaging.limits import check_frames, check_size
from conversions.imaging.moving.chunks import PNG_SIGNATURE, png_chunks, webp_chunks
from conversions.imaging.moving.gif_blocks import read_gif


def count_frames(data: bytes) -> int | None:
    """Return the number of frames; None where only a decoder knows. Raise FileRefused.

    A PNG with a wrong number of frames has those that are there.
    """
    try:
        if data.startswith((b"GIF87a", b"GIF89a")):
            return len(read_gif(data).frames)
        if data.startswith(PNG_SIGNATURE):
            return _png_frames(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_frames(data)
    except struct.error as error:
        raise damaged() from error
    return None


def _png_frames(data: bytes) -> int:
    moves, count, canvas, pixels = False, 0, 0, 0
    for name, body in png_chunks(data):
        if name == b"IHDR":
            width, height = struct.unpack_from(">II", data, body.start)
            check_size(width, height)
            canvas = width * height
        elif name == b"acTL":
            moves = True
        elif name == b"IDAT" and not moves:
            return 1
        elif name == b"fcTL":
            count += 1
            pixels += canvas
            check_frames(count, pixels)
    return max(1, count)


def _webp_frames(data: bytes) -> int:
    count, canvas, pixels = 0, 0, 0
    for name, body in webp_chunks(data):
        if name == b"VP8X":
            width, height = _three(data, body.start + 4) + 1, _three(data, body.start + 7) + 1
            check_size(width, height)
            canvas = width * height
        elif name == b"ANMF":
            count += 1
            pixels += canvas
            check_frames(count, pixels)
    return max(1, count)


def _three(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
