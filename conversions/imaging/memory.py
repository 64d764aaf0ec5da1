"""What a unit of work takes of memory, estimated before a pixel is decoded.

A function has 1,769 MB for each of its processors (work.py). Two moments are looked at: while the
source is decoded, and while the largest variants are encoded, with all sizes of them held. What
decoders and encoders take was measured, where they take most: in bytes per pixel, over what is held
before. WebP is decoded to YUV or ARGB beside two canvases, AVIF to YUV of 16 bits, a progressive
JPEG to its coefficients.
"""

import math
from collections.abc import Collection, Iterable

from conversions.imaging.errors import FileRefused, VariantRefused
from conversions.imaging.geometry import Geometry, Size
from conversions.imaging.recipe import Format

MOST_MEMORY = 1_500_000_000  # bytes; the rest is Python's and its modules'

_TEXT = "The picture would take too much memory to convert."
_HELD = 4  # in RGB, RGBA, or with alpha multiplied in
_DECODING = {"WEBP": 18, "AVIF": 16, "JPEG": 13, "GIF": 14}
_DECODING_OTHERS = 6
_ENCODING = {
    Format.JPEG: 4,
    Format.PNG: 3,
    Format.WEBP: 16,
    Format.AVIF: 26,
    Format.GIF: 16,
}
# A film, of which a few frames are held in both: reading from this format, writing to that.
_READING = {"GIF": 18, "WEBP": 28, "AVIF": 26}
_READING_OTHERS = 34
_WRITING = {Format.GIF: 55, Format.PNG: 28, Format.WEBP: 63, Format.AVIF: 67}


def check_decoding(kind: str, pixels: int, count: int) -> None:
    """Refuse a picture of this format that takes too much, with its file of `count` bytes, and
    itself once more, upright or in other colours.
    """
    each = _DECODING.get(kind, _DECODING_OTHERS) + 2 * _HELD
    if count + pixels * each > MOST_MEMORY:
        raise FileRefused("too_much_memory", _TEXT)


def of_film(kind: str, pixels: int, variant: Format, size: Size) -> int:
    """Return what a variant that moves takes by itself, of a film of this format, in bytes."""
    reading = _READING.get(kind, _READING_OTHERS)
    return pixels * reading + math.prod(size) * _WRITING[variant]


def check_encoding(
    pixels: int,
    count: int,
    variants: Collection[tuple[Format, Geometry]],
    films: Iterable[int] = (),
    *,
    processors: int,
) -> None:
    """Refuse variants that take too much while as many variants are encoded at once as there are
    processors. `films` says what each of those takes that move (of_film).
    """
    each = [(math.prod(part.final_size), _ENCODING[kind]) for kind, part in variants]
    encoding = sorted([*(pixels * (of + _HELD) for pixels, of in each), *films], reverse=True)
    sizes = {(part.box, part.size) for _, part in variants}  # each is made once (pyramid.py)
    held = _HELD * (pixels + sum(math.prod(size) for _, size in sizes))
    if count + held + sum(encoding[:processors]) > MOST_MEMORY * processors:
        raise VariantRefused("too_much_memory", _TEXT)
