"""Read PNG and WebP as chunks, without decoding any; and write them.

A PNG's chunk is length, name, body, checksum (https://www.w3.org/TR/png-3/); one of WebP is name,
length, body, and a byte to make it even (https://developers.google.com/speed/webp/docs/riff_container).
"""

import struct
import zlib
from collections.abc import Iterator

from conversions.imaging.errors import damaged
from conversions.imaging.limits import MOST_CHUNKS

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunks(data: bytes) -> Iterator[tuple[bytes, slice]]:
    """Yield each chunk's name and where its body is, up to and without IEND.

    Raise FileRefused where the file breaks off, but only behind the chunk in which it does.
    Checksums are not looked at.
    """
    at = len(PNG_SIGNATURE)
    for _ in range(MOST_CHUNKS):
        if len(data) < at + 12:
            raise damaged()
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IEND":
            return
        yield name, slice(at + 8, at + 8 + length)
        at += length + 12
    raise damaged()


def png_chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", checksum)


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, slice]]:
    """Yield each chunk's name and where its body is.

    Raise FileRefused where it has too many. What is behind the length that it gives itself is not
    part of it; whether it breaks off before, its decoder sees.
    """
    (length,) = struct.unpack_from("<I", data, 4)
    at, end = 12, min(len(data), length + 8)
    for _ in range(MOST_CHUNKS):
        if end < at + 8:
            return
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, slice(at + 8, at + 8 + length)
        at += 8 + length + length % 2
    raise damaged()


def webp_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)
