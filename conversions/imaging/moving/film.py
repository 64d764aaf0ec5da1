"""What a moving picture is, whatever its file: frames, each as it is seen, and how often it plays.

A film is read anew for each variant, frame by frame, so that no more than a few are ever held.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Frame:
    """The whole picture as it is seen for `duration` milliseconds, in RGB or RGBA.

    It is good until the next one is asked for, which may be drawn upon it; and it is the reader's:
    who wants to change it, makes a copy.
    """

    image: Image.Image
    duration: float


@dataclass(frozen=True)
class Film:
    """`plays` is how often, 0 for ever. `frames` begins from the first frame each time, and raises
    FileRefused where the file is damaged. All frames have the same size and mode.
    """

    plays: int
    frames: Callable[[], Iterator[Frame]]


class Ticks:
    """Durations in a format's unit, rounded so that the sum does not drift."""

    def __init__(self, unit: float, most: int) -> None:
        """`unit` is in milliseconds, `most` the longest that the format has, in units."""
        self._unit, self._most = unit, most
        self._now = 0.0

    def of(self, duration: float) -> int:
        """Return what is next."""
        before, self._now = self._now, self._now + duration / self._unit
        return min(round(self._now) - round(before), self._most)
