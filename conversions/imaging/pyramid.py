"""Make every size once, and small ones of larger ones that are there already.

Resizing costs by the pixels that are read: of a large picture only large variants are made, and a
thumbnail is made of one of those. To resize twice is as good as once, where the second step shrinks
well enough. A size is made in strips, so that several threads make it, and nothing waits long.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from PIL import Image

from conversions.imaging.geometry import Box, Geometry, Size
from conversions.imaging.recipe import Recipe

SAFE_SHRINKAGE = 1.99  # twice, less what the rounding of a side takes
_STRIP_PIXELS = 400_000  # of the result


@dataclass(frozen=True)
class Picture:
    """Pixels of the source, upright, at some scale. What is at `x` in the source is here at
    `x * scale[0] + offset[0]`, and `y` likewise. `soft` says that it has no fine detail.

    Where there is `chroma`, of Cb and Cr in a picture of its own, the image is luma alone.
    """

    image: Image.Image
    scale: tuple[float, float]
    offset: tuple[float, float] = (0.0, 0.0)
    soft: bool = False
    chroma: "Picture | None" = None

    def box(self, box: Box) -> Box:
        """Return where a box of the source is here; never outside, by however little."""
        left, top, right, bottom = (
            min(max(0.0, at * self.scale[axis] + self.offset[axis]), self.image.size[axis])
            for at, axis in zip(box, (0, 1, 0, 1), strict=True)
        )
        return left, top, right, bottom


@dataclass(eq=False)
class Level:
    """A size of a part of the source: what is made of it, variants and further levels."""

    box: Box
    size: Size
    variants: list[tuple[Recipe, Geometry]] = field(default_factory=list)
    children: list["Level"] = field(default_factory=list)

    def fits_into(self, parent: "Level") -> bool:
        """Say whether this can be made of a level that shows the whole source."""
        width, height = parent.box[2:]
        across = (self.box[2] - self.box[0]) / width * parent.size[0] / self.size[0]
        down = (self.box[3] - self.box[1]) / height * parent.size[1] / self.size[1]
        return min(across, down) >= SAFE_SHRINKAGE


def pyramid(source: Size, variants: Iterable[tuple[Recipe, Geometry]]) -> list[Level]:
    """Return the levels that are made of the source itself, with all others below them."""
    found: dict[tuple[Box, Size], Level] = {}
    for recipe, part in variants:
        level = found.setdefault((part.box, part.size), Level(part.box, part.size))
        level.variants.append((recipe, part))
    ordered = sorted(found.values(), key=lambda level: level.size[0] * level.size[1])
    roots: list[Level] = []
    for level in ordered:
        whole = (each for each in ordered if each.box == (0, 0, *source))
        parent = next((each for each in whole if level.fits_into(each)), None)
        (parent.children if parent else roots).append(level)
    return roots


@dataclass(frozen=True)
class Strip:
    """Rows of a result: from which on, of what size, and which box of the source it is."""

    first_row: int
    size: Size
    box: Box


def kernel(box: Box, size: Size, *, soft: bool) -> Image.Resampling:
    """Return what to resize a box with: Lanczos, or what is faster where nobody sees it."""
    shrinkage = (box[2] - box[0]) / size[0]
    if not soft or shrinkage >= SAFE_SHRINKAGE:
        return Image.Resampling.LANCZOS
    return Image.Resampling.BICUBIC if shrinkage >= 1.25 else Image.Resampling.HAMMING


def strips(box: Box, size: Size) -> list[Strip]:
    """Divide a resizing from a box to a size into strips of some milliseconds each. All begin with
    an even row.
    """
    width, height = size
    left, top, right, bottom = box
    count = min(height, -(-width * height // _STRIP_PIXELS))
    rows = [*(height * each // count // 2 * 2 for each in range(count)), height]
    scale = (bottom - top) / height
    return [
        Strip(first, (width, end - first), (left, top + first * scale, right, top + end * scale))
        for first, end in itertools.pairwise(rows)
    ]
