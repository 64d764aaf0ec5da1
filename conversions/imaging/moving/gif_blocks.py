"""Read a GIF as blocks: where its frames are, without decoding one.

Pillow counts frames by reading all of them, however many, and takes a frame without a disposal for
one with the disposal before it; so frames are found here, and Pillow is left to decode each
(https://www.w3.org/Graphics/GIF/spec-gif89a.txt).
"""

import struct
from dataclasses import dataclass

from conversions.imaging.errors import damaged
from conversions.imaging.limits import MOST_BLOCKS, check_frames, check_size

EXTENSION, FRAME = 0x21, 0x2C
CONTROL, APPLICATION = 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


@dataclass(frozen=True)
class GifFrame:
    """One frame: where it lies on the canvas, and where in the file its pixels are.

    `pixels` is a slice of the file, from the LZW code size to the last sub-block. `duration` is in
    milliseconds. `transparent` is the colour that leaves what was there, if there is one.
    """

    left: int
    top: int
    width: int
    height: int
    interlaced: bool
    palette: bytes
    transparent: int | None
    disposal: int
    duration: int
    pixels: slice


@dataclass(frozen=True)
class Gif:
    """A GIF's canvas, its frames, and how often it plays; 0 is for ever."""

    width: int
    height: int
    plays: int
    frames: tuple[GifFrame, ...]


def read_gif(data: bytes) -> Gif:
    """Find the frames. Raise FileRefused where the file breaks off, or has too many of them."""
    try:
        return _Reader(data).read()
    except (IndexError, struct.error) as error:
        raise damaged() from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 13
        self._blocks = 0
        self._plays = 1
        self._control: tuple[int, int, int | None] = (0, 0, None)  # disposal, duration, transparent

    def read(self) -> Gif:
        width, height, flags = struct.unpack_from("<HHB", self._data, 6)
        shared = self._palette(flags)
        frames: list[GifFrame] = []
        pixels = 0
        while self._at < len(self._data):
            kind = self._byte()
            if kind == EXTENSION:
                self._extension()
            elif kind == FRAME:
                frame = self._frame(shared)
                if not frames:  # a first frame larger than its canvas makes it larger
                    width = max(width, frame.left + frame.width)
                    height = max(height, frame.top + frame.height)
                    check_size(width, height)
                frames.append(frame)
                pixels += max(width * height, frame.width * frame.height)
                check_frames(len(frames), pixels)
            else:  # the trailer, or what is no GIF any more
                break
        if not frames:
            raise damaged()
        return Gif(width, height, self._plays, tuple(frames))

    def _extension(self) -> None:
        label, start = self._byte(), self._at
        self._skip()
        body = self._data[start : self._at]
        if label == CONTROL:
            flags, delay, transparent = struct.unpack_from("<BHB", body, 1)
            self._control = (flags >> 2 & 7, delay * 10, transparent if flags & 1 else None)
        elif label == APPLICATION and body[1:12] in _LOOPS and body[12:14] == b"\x03\x01":
            # It says how often to repeat, after the first time.
            (repeats,) = struct.unpack_from("<H", body, 14)
            self._plays = repeats + 1 if repeats else 0

    def _frame(self, shared: bytes) -> GifFrame:
        left, top, width, height, flags = struct.unpack_from("<HHHHB", self._data, self._at)
        if width and height:
            check_size(width, height)
        self._at += 9
        palette = self._palette(flags) or shared
        start = self._at
        self._at += 1
        self._skip()
        (disposal, duration, transparent), self._control = self._control, (0, 0, None)
        return GifFrame(
            left=left,
            top=top,
            width=width,
            height=height,
            interlaced=bool(flags & 0x40),
            palette=palette,
            transparent=transparent,
            disposal=disposal,
            duration=duration,
            pixels=slice(start, self._at),
        )

    def _palette(self, flags: int) -> bytes:
        if not flags & 0x80:
            return b""
        start = self._at
        self._at += 3 << (flags & 7) + 1
        return self._data[start : self._at]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _skip(self) -> None:
        """Pass over sub-blocks, to behind the empty one that ends them."""
        data, at, blocks = self._data, self._at, self._blocks
        while length := data[at]:
            at += length + 1
            blocks += 1
            if blocks > MOST_BLOCKS:
                raise damaged()
        self._at, self._blocks = at + 1, blocks + 1


def still(frame: GifFrame, data: bytes) -> bytes:
    """Return one frame as a GIF of its own, just as large as it is, for Pillow to decode."""
    flags = 0x80 | max(0, (len(frame.palette) // 3).bit_length() - 2) if frame.palette else 0
    size = (frame.width, frame.height)
    return b"".join(
        (
            b"GIF89a" + struct.pack("<HHBBB", *size, flags, 0, 0),
            frame.palette,
            struct.pack("<BHHHHB", FRAME, 0, 0, *size, 0x40 * frame.interlaced),
            data[frame.pixels],
            b";",
        )
    )
