"""Pictures written byte by byte: what no encoder would make, and what would take one too long."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

Size = tuple[int, int]
ONE_PIXEL = b"\x02\x02\x44\x01\0"  # LZW of a GIF: clear, 0, end


def sized(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """Yield pictures of each format that claim a size, with the pixels of a smaller one or none."""
    jpeg = bytearray(_encoded("JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", height, width)
    yield "jpeg", bytes(jpeg)
    yield "png", png((width, height), b"")
    yield "gif", gif(1, (width, height))
    bmp = bytearray(_encoded("BMP"))
    bmp[18:26] = struct.pack("<ii", width, height)
    yield "bmp", bytes(bmp)
    yield "tiff", tiff((width, height))
    yield "webp", webp(1, (width, height))


def png(size: Size, rows: bytes, *, depth: int = 8) -> bytes:
    """RGB, with rows as they are before compression."""
    return _png(
        (b"IHDR", struct.pack(">IIBBBBB", *size, depth, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
    )


def apng(frames: int, size: Size = (1, 1)) -> bytes:
    """Black frames, of a tenth of a second each."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)),
        (b"acTL", struct.pack(">II", frames, 0)),
    ]
    pixels = zlib.compress((b"\0" + b"\0\0\0" * size[0]) * size[1])
    for frame in range(frames):
        at = 2 * frame - 1
        chunks += [
            (b"fcTL", struct.pack(">5I2H2B", max(0, at), *size, 0, 0, 1, 10, 0, 0)),
            (b"fdAT", struct.pack(">I", at + 1) + pixels) if frame else (b"IDAT", pixels),
        ]
    return _png(*chunks)


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    data = [b"\x89PNG\r\n\x1a\n"]
    for name, body in (*chunks, (b"IEND", b"")):
        checksum = zlib.crc32(name + body)
        data.append(struct.pack(">I4s", len(body), name) + body + struct.pack(">I", checksum))
    return b"".join(data)


def gif(frames: int, size: Size = (1, 1)) -> bytes:
    """A canvas of this size, and frames of one black pixel in its corner."""
    control = b"!\xf9\x04\0\x0a\0\0\0"
    frame = control + b"," + struct.pack("<4HB", 0, 0, 1, 1, 0) + ONE_PIXEL
    return b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


def webp(frames: int, size: Size = (1, 1)) -> bytes:
    """A canvas of this size, and frames of one black pixel in its corner."""
    pixel = _encoded("WEBP", (1, 1))[12:]
    frame = bytes(6) + bytes(6) + b"\x64\0\0\0" + pixel
    canvas = b"".join((side - 1).to_bytes(3, "little") for side in size)
    chunks = [(b"VP8X", b"\x02\0\0\0" + canvas), (b"ANIM", bytes(6)), *[(b"ANMF", frame)] * frames]
    body = b"".join(
        struct.pack("<4sI", name, len(each)) + each + b"\0" * (len(each) % 2)
        for name, each in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff(size: Size) -> bytes:
    """RGB, with a strip of nothing."""
    tags = [
        (256, 4, 1, size[0]), (257, 4, 1, size[1]), (258, 3, 1, 8), (259, 3, 1, 1),
        (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, size[1]), (279, 4, 1, 0),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def _encoded(kind: str, size: Size = (16, 16)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, format=kind)
    return out.getvalue()
