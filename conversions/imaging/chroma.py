"""Luma and chroma of a photograph apart from each other, as a JPEG has them.

Eyes see less of chroma than of luma. JPEG, WebP and AVIF keep it at half the width and height, and
so do most photographs that come ("4:2:0"). Decoded apart, luma is a third of RGB to resize, and
chroma a sixth; and one processor decodes this while another decodes that.
"""

from collections.abc import Iterable, Sequence

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from conversions.imaging.colour import is_srgb
from conversions.imaging.geometry import Box, Geometry, Size
from conversions.imaging.operations import Operation
from conversions.imaging.operations.flatten import Flatten
from conversions.imaging.operations.grayscale import Grayscale
from conversions.imaging.pyramid import Level, Picture
from conversions.imaging.recipe import Format, Recipe

_LEAST_PIXELS = 250_000  # of fewer, a second decoder saves nothing
_RGB_IDS = (ord("R"), ord("G"), ord("B"))
_ADOBE_RGB = 0
# Two channels that Pillow resizes as they are: of any other such mode it takes one for alpha.
_MODE = "La"
_HALVED = {Format.JPEG, Format.WEBP, Format.AVIF}
_BILINEAR, _NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST

Variant = tuple[Recipe, Geometry, Sequence[Operation]]


def can_be_apart(image: JpegImageFile) -> bool:
    """Say whether a JPEG that was opened has luma, and chroma of half its sides, in sRGB; and can
    be decoded twice at little cost: a progressive one is read many times over, and kept whole.
    """
    (_luma, *sampling, _table), *_ = image.layer
    return (
        image.mode == "RGB"
        and sampling == [2, 2]
        and image.width * image.height >= _LEAST_PIXELS
        and not image.info.get("progressive")
        and image.info.get("adobe_transform") != _ADOBE_RGB
        and tuple(each[0] for each in image.layer) != _RGB_IDS
        and is_srgb(image)
    )


def is_enough(scale: float, variants: Iterable[tuple[Recipe, Geometry]]) -> bool:
    """Say whether chroma decoded at this scale is all that the variants can show."""
    return all(
        recipe.grayscale or part.shrinkage * scale >= (0.5 if recipe.format in _HALVED else 1.5)
        for recipe, part in variants
    )


def chroma_of(image: Image.Image) -> Image.Image:
    """Return Cb and Cr of a picture in YCbCr, as one with two channels."""
    return Image.merge(_MODE, image.split()[1:])


def is_unseen(variants: Iterable[Variant]) -> bool:
    """Say whether none of the variants of a size shows anything but luma."""
    return all(
        recipe.grayscale and _is_plain(part, operations) for recipe, part, operations in variants
    )


def can_stay_apart(recipe: Recipe, part: Geometry, operations: Sequence[Operation]) -> bool:
    """Say whether a variant is finished and encoded from YCbCr as it is, without a loss by RGB."""
    takes_it = recipe.grayscale or recipe.format is Format.JPEG
    return takes_it and _is_plain(part, operations)


def is_halved(formats: Iterable[Format]) -> bool:
    """Say whether all of these formats keep chroma at half the width and height."""
    return _HALVED.issuperset(formats)


def reduced(chroma: Picture, levels: Iterable[Level]) -> Picture:
    """Return chroma for smaller levels: of fewer pixels, but of no fewer than they have."""
    shrinkages = (
        min((right - left) * chroma.scale[0] / width, (bottom - top) * chroma.scale[1] / height)
        for (left, top, right, bottom), (width, height) in ((it.box, it.size) for it in levels)
    )
    factor = int(min(shrinkages, default=1))
    if factor <= 1:
        return chroma
    return Picture(
        chroma.image.reduce(factor),
        (chroma.scale[0] / factor, chroma.scale[1] / factor),
        (chroma.offset[0] / factor, chroma.offset[1] / factor),
    )


def joined(luma: Image.Image, chroma: Picture, box: Box, *, halved: bool) -> Image.Image:
    """Return a box of the source in YCbCr, of which luma has the size already. `halved` says that
    every encoder will take the mean of four pixels' chroma, which are the same then.
    """
    size, box = luma.size, chroma.box(box)
    if halved:
        half = chroma.image.resize(_half(size), _BILINEAR, _wider(box, size, chroma.image.size))
        resized = half.resize(size, _NEAREST, (0, 0, size[0] / 2, size[1] / 2))
    else:
        resized = chroma.image.resize(size, _BILINEAR, box)
    return Image.merge("YCbCr", (luma, *resized.split()))


def _is_plain(part: Geometry, operations: Sequence[Operation]) -> bool:
    """Say whether nothing is done to a variant's colours but to leave them out."""
    return not part.canvas and all(isinstance(each, Flatten | Grayscale) for each in operations)


def _half(size: Size) -> Size:
    return -(-size[0] // 2), -(-size[1] // 2)


def _wider(box: Box, size: Size, within: Size) -> Box:
    """Return the box with the column and the row that odd sides lack, if there are such."""
    left, top, right, bottom = box
    width, height = (2 * half / side for half, side in zip(_half(size), size, strict=True))
    return (
        left,
        top,
        min(left + (right - left) * width, within[0]),
        min(top + (bottom - top) * height, within[1]),
    )
