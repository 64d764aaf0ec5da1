"""What a picture may be at most. All of it is checked before a pixel is decoded.

So is the memory that it takes (memory.py).
"""

import time
from collections.abc import Callable

from conversions.imaging.errors import FileRefused, VariantRefused, damaged

MOST_BYTES = 50_000_000  # of the file
MOST_PIXELS = 60_000_000
MOST_SIDE = 30_000
MOST_FRAMES = 1_000
MOST_MOVING_PIXELS = 500_000_000  # of all frames together
# Of which a file consists: each costs a step, before its frames are counted.
MOST_BLOCKS = 200_000  # of a GIF, of 255 bytes at most
MOST_CHUNKS = 20_000  # of a PNG, WebP or JPEG
MOST_SCANS = 32  # of a JPEG; encoders make up to 20


def check_bytes(count: int) -> None:
    if not count:
        raise FileRefused("empty", "The file is empty.")
    if count > MOST_BYTES:
        raise FileRefused(
            "too_many_bytes", f"The file has more than {MOST_BYTES // 1_000_000} megabytes."
        )


def check_size(width: int, height: int) -> None:
    if min(width, height) < 1:
        raise damaged()
    if width * height > MOST_PIXELS:
        raise too_many_pixels()
    if max(width, height) > MOST_SIDE:
        raise FileRefused(
            "side_too_long", f"A side has {max(width, height)} pixels; {MOST_SIDE} are allowed."
        )


def too_many_pixels() -> FileRefused:
    return FileRefused(
        "too_many_pixels", f"The picture has more than {MOST_PIXELS // 1_000_000} megapixels."
    )


def check_frames(count: int, pixels: int) -> None:
    """Refuse too many frames, or too many pixels in all of them together."""
    if count > MOST_FRAMES:
        raise FileRefused("too_many_frames", f"The picture has more than {MOST_FRAMES} frames.")
    if count > 1 and pixels > MOST_MOVING_PIXELS:
        raise FileRefused(
            "too_many_frames",
            f"All frames together have more than {MOST_MOVING_PIXELS // 1_000_000} megapixels.",
        )


class Deadline:
    """What time a unit of work has. It is looked at between frames and between variants."""

    def __init__(
        self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._clock = seconds, clock
        self._started = clock()

    def check(self) -> None:
        """Raise VariantRefused where the time is over: another try of as much takes as long."""
        if self._seconds is not None and self._clock() - self._started > self._seconds:
            raise VariantRefused(
                "too_slow", f"The picture takes more than {self._seconds:g} seconds."
            )
