"""Which part of a picture becomes a variant, and of which size. Arithmetic only, in pixels."""

import math
from dataclasses import dataclass

from conversions.imaging.recipe import Fit, Recipe

Size = tuple[int, int]  # width, height
Box = tuple[float, float, float, float]  # left, top, right, bottom

_MOST_ENLARGED = 4_096**2  # pixels: a strip that is to be wider may become very high


@dataclass(frozen=True)
class Geometry:
    """`box` of the source, upright, is resized to `size`. `canvas` is what PAD lays it on, in the
    middle; None for the other fits.
    """

    box: Box
    size: Size
    canvas: Size | None = None

    @property
    def final_size(self) -> Size:
        return self.canvas or self.size

    @property
    def shrinkage(self) -> float:
        """How many pixels of the source go into one of the variant, along the side with fewer."""
        left, top, right, bottom = self.box
        return min((right - left) / self.size[0], (bottom - top) / self.size[1])


def geometry(source: Size, recipe: Recipe) -> Geometry:
    """Return a variant's geometry. The recipe's format is known (Recipe.for_source).

    Without `upscale` a picture smaller than the box stays as it is: CONTAIN and PAD leave its size,
    COVER and CROP cut the largest part with the box's proportions. Nothing is longer than the
    format can be.
    """
    box = (recipe.width, recipe.height)
    longest = recipe.format.longest_side
    if recipe.fit is Fit.CONTAIN or box[0] is None or box[1] is None:
        return Geometry((0, 0, *source), _contained(source, box, longest, upscale=recipe.upscale))
    room = _scaled((box[0], box[1]), min(1.0, longest / max(box[0], box[1])))
    if recipe.fit is Fit.PAD:
        size = _contained(source, room, longest, upscale=recipe.upscale)
        return Geometry((0, 0, *source), size, canvas=room)
    focus = (recipe.focal_x, recipe.focal_y) if recipe.fit is Fit.CROP else (50, 50)
    return _filled(source, room, focus, upscale=recipe.upscale)


def _contained(
    source: Size, box: tuple[int | None, int | None], longest: int, *, upscale: bool
) -> Size:
    """Fit a picture into a box of which a side may be open."""
    sides = [given / has for given, has in zip(box, source, strict=True) if given]
    enlarged = math.sqrt(_MOST_ENLARGED / (source[0] * source[1])) if upscale and sides else 1.0
    sides.append(max(1.0, enlarged))
    return _scaled(source, min(*sides, longest / max(source)))


def _filled(source: Size, box: Size, focus: tuple[int, int], *, upscale: bool) -> Geometry:
    """Fill a box with as much of the picture as there is around a focus, given in percent."""
    scale = min(source[0] / box[0], source[1] / box[1])  # pixels of the source for one of the box
    width, height = min(box[0] * scale, source[0]), min(box[1] * scale, source[1])
    left = _placed(source[0], width, focus[0])
    top = _placed(source[1], height, focus[1])
    size = box if upscale else _scaled(box, min(1.0, scale))
    return Geometry((left, top, left + width, top + height), size)


def _placed(whole: int, part: float, focus: int) -> float:
    """Return where a part begins that has the focus in its middle, or as near as it can be."""
    return max(0.0, min(whole * focus / 100 - part / 2, whole - part))


def _scaled(size: Size, scale: float) -> Size:
    return (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
