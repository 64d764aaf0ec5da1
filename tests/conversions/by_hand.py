"""Pictures written byte by byte: what no encoder would make, and what would take one too long."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    avif = bytearray(_encoded("AVIF"))
    at = avif.index(b"ispe") + 8
    avif[at : at + 8] = struct.pack(">II", width, height)
    yield "avif", bytes(avif)


def png(size: Size, rows: bytes, *, depth: int = 8) -> bytes:
    """RGB, with rows as they are before compression."""
    return _png(
        (b"IHDR", struct.pack(">IIBBBBB", *size, depth, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
    )


def gray_png(shade: int, transparent: int, *, depth: int, frames: int = 1) -> bytes:
    """16 × 1 pixels of one shade, of fewer bits than a byte, and which shade is transparent."""
    row = sum(shade << depth * at for at in range(16))
    pixels = zlib.compress(b"\0" + row.to_bytes(2 * depth, "big"))
    control = struct.pack(">4I2H2B", 16, 1, 0, 0, 1, 10, 0, 0)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 16, 1, depth, 0, 0, 0, 0)),
        (b"tRNS", struct.pack(">H", transparent)),
    ]
    if frames == 1:
        return _png(*chunks, (b"IDAT", pixels))
    chunks.append((b"acTL", struct.pack(">II", frames, 0)))
    for frame in range(frames):
        number = struct.pack(">I", max(0, 2 * frame - 1))
        after = struct.pack(">I", 2 * frame)
        chunks.append((b"fcTL", number + control))
        chunks.append((b"fdAT", after + pixels) if frame else (b"IDAT", pixels))
    return _png(*chunks)


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


def tiff(size: Size, tile: Size | None = None) -> bytes:
    """Gray, with a strip or a tile of nothing."""
    tiles = {322: tile[0], 323: tile[1]} if tile else {}
    return _tiff(size, {258: 8, 262: 1, 277: 1, **tiles}, b"")


def gray_tiff(shades: list[int], *, bits: int, white_is_zero: bool) -> bytes:
    """One row of gray, of 12 or 16 bits."""
    packed = sum(shade << bits * at for at, shade in enumerate(reversed(shades)))
    pixels = packed.to_bytes(len(shades) * bits // 8, "big")
    if bits == 16:
        pixels = struct.pack(f"<{len(shades)}H", *shades)
    return _tiff((len(shades), 1), {258: bits, 262: 0 if white_is_zero else 1, 277: 1}, pixels)


def twice_tiled_tiff() -> bytes:
    """Pillow sees the second of a tag that is there twice, libtiff the first."""
    return _tiff((64, 64), {258: 8, 262: 1, 277: 1, 323: 64}, b"", (322, 24_000), (322, 64))


def tiff_of_another_kind() -> bytes:
    """A big-endian BigTIFF to libtiff, with nothing in it; a TIFF to Pillow."""
    tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 64, 279: 4_096}
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = b"MM\0\x2b\0\x08\0\0".ljust(0x80000, b"\0")
    return start + struct.pack(">H", len(tags)) + entries + bytes(4)


def _tiff(size: Size, tags: dict[int, int], pixels: bytes, *more: tuple[int, int]) -> bytes:
    """`tags` and those of a single strip, each with one number."""
    tags |= {256: size[0], 257: size[1], 259: 1, 278: size[1], 279: len(pixels)}
    tags[273] = 8 + 2 + 12 * (len(tags) + 1 + len(more)) + 4
    ordered = sorted([*tags.items(), *more], key=lambda entry: entry[0])
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in ordered)
    return b"II*\0" + struct.pack("<IH", 8, len(ordered)) + entries + bytes(4) + pixels


def jpeg(scans: int) -> bytes:
    """A progressive one: scans beyond Pillow's ten repeat the last, which is 98 bytes or so."""
    data = _encoded("JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xc4") : -2]
    return data[:-2] + last * (scans - 10) + data[-2:]


def _encoded(kind: str, size: Size = (16, 16), **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, format=kind, **options)
    return out.getvalue()


@dataclass(frozen=True)
class Part:
    """A frame of one colour: its box, when it goes, and what it does with what was there.

    `delay` is in hundredths of a second. A GIF's colours are indices of PALETTE, a PNG's are RGBA.
    """

    box: tuple[int, int, int, int]
    colour: Any
    disposal: int = 0
    delay: int = 10
    blend: int = 0
    transparent: int | None = None
    palette: bytes = b""


RED, GREEN, BLUE, WHITE = range(4)
PALETTE = bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255))


def gif_of(size: Size, *parts: Part, repeats: int | None = None) -> bytes:
    data = b"GIF89a" + struct.pack("<HHBBB", *size, 0x81, 0, 0) + PALETTE
    if repeats is not None:
        data += b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", repeats, 0)
    for part in parts:
        left, top, right, bottom = part.box
        flags = part.disposal << 2 | (part.transparent is not None)
        data += b"!\xf9\x04" + struct.pack("<BHBB", flags, part.delay, part.transparent or 0, 0)
        data += b"," + struct.pack("<4HB", left, top, right - left, bottom - top, 0)
        if part.palette:
            data = data[:-1] + b"\x81" + part.palette
        data += _lzw([part.colour] * ((right - left) * (bottom - top)))
    return data + b";"


def _lzw(pixels: list[int]) -> bytes:
    """Of 4 colours, not compressed: each pixel behind a code that clears the table."""
    bits = sum(code << 3 * at for at, code in enumerate([*(c for p in pixels for c in (4, p)), 5]))
    data = bits.to_bytes(-(-3 * (2 * len(pixels) + 1) // 8), "little")
    blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"\x02" + b"".join(bytes((len(block),)) + block for block in blocks) + b"\0"


def apng_of(size: Size, *parts: Part, plays: int = 0, before: Any = None) -> bytes:
    """RGBA. `before` is the colour of an image that is none of the frames."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", *size, 8, 6, 0, 0, 0)),
        (b"acTL", struct.pack(">II", len(parts), plays)),
    ]
    if before:
        chunks.append((b"IDAT", _filled(size, before)))
    number = 0
    for part in parts:
        left, top, right, bottom = part.box
        sides = (right - left, bottom - top)
        control = (number, *sides, left, top, part.delay, 100, part.disposal, part.blend)
        chunks.append((b"fcTL", struct.pack(">5I2H2B", *control)))
        number += 1
        if chunks[-2][0] == b"acTL":
            chunks.append((b"IDAT", _filled(sides, part.colour)))
        else:
            chunks.append((b"fdAT", struct.pack(">I", number) + _filled(sides, part.colour)))
            number += 1
    return _png(*chunks)


def _filled(size: Size, colour: tuple[int, ...]) -> bytes:
    return zlib.compress((b"\0" + bytes(colour) * size[0]) * size[1])
