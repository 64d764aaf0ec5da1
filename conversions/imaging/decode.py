"""Decode a picture: upright, in RGB, and at no larger a scale than its variants need."""

import io
from collections.abc import Collection
from dataclasses import replace

from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from conversions.imaging.chroma import can_be_apart, chroma_of, is_enough
from conversions.imaging.colour import to_rgb
from conversions.imaging.errors import damaged
from conversions.imaging.geometry import Geometry
from conversions.imaging.header import Header, orientation
from conversions.imaging.pyramid import Picture
from conversions.imaging.recipe import Recipe
from conversions.imaging.tiff import as_meant
from conversions.imaging.work import beside

# At how many eighths of its size a JPEG can be decoded, and how many pixels that must leave for one
# of a variant. Of its blocks of 8×8 little more than averages is left at one and two eighths.
_SCALES = ((1, 1.5), (2, 1.5), (3, 1.0), (4, 1.0), (8, 0.0))
_SOFT = 0.12  # bytes per pixel; fewer have no detail that a short kernel would lose
_MIRRORED = ({2, 3, 6, 7}, {3, 4, 7, 8})  # orientations that turn left and right, top and bottom


def decode(
    image: Image.Image, header: Header, data: bytes, variants: Collection[tuple[Recipe, Geometry]]
) -> dict[bool, Picture]:
    """Decode a picture that was opened from data, for the variants given: by whether they are to be
    in sRGB (see colour.py). Raise FileRefused where it is damaged.
    """
    srgb = {recipe.srgb for recipe, _ in variants}
    try:
        if not isinstance(image, JpegImageFile):
            return _in_colours(_whole(image, header), srgb)
        soft = len(data) < _SOFT * header.width * header.height
        shrinkage = min(part.shrinkage for _, part in variants)
        eighths = next(each for each, least in _SCALES if shrinkage * each / 8 >= least)
        if can_be_apart(image) and is_enough(_of_chroma(eighths) / 8, variants):
            picture = _apart(image, header, data, eighths)
            return dict.fromkeys(srgb, replace(picture, soft=soft))
        picture = _at_scale(image, header, eighths, "RGB")
        return _in_colours(replace(picture, soft=soft), srgb)
    except MemoryError:
        raise
    except Exception as error:
        raise damaged() from error


def _of_chroma(eighths: int) -> int:
    return -(-eighths // 2)


def _apart(image: JpegImageFile, header: Header, data: bytes, eighths: int) -> Picture:
    """Decode luma, and beside it chroma at half the scale."""

    def decode_chroma() -> Picture:
        again = Image.open(io.BytesIO(data), formats=("JPEG",))
        assert isinstance(again, JpegImageFile)  # noqa: S101
        decoded = _at_scale(again, header, _of_chroma(eighths), "YCbCr")
        return replace(decoded, image=chroma_of(decoded.image))

    chroma = beside(decode_chroma)
    try:
        luma = _at_scale(image, header, eighths, "L")
    finally:
        chroma.exception()  # waits: nothing is to go on behind our back
    return replace(luma, chroma=chroma.result())


def _at_scale(image: JpegImageFile, header: Header, eighths: int, mode: str) -> Picture:
    """Decode a JPEG at a smaller scale, and in another mode. Image.draft does it without 3/8."""
    image.draft(mode, image.size)
    if eighths < 8:
        width, height = (-(-side * eighths // 8) for side in image.size)
        image.tile = [image.tile[0]._replace(extents=(0, 0, width, height))]
        image.decoderconfig = (-(-8 // eighths), 0)  # libjpeg takes the next larger scale for 1/3
        image._size = (width, height)
    return _whole(image, header, eighths / 8)


def _whole(image: Image.Image, header: Header, scale: float = 1.0) -> Picture:
    """Decode, and turn upright."""
    turned = orientation(image)
    image.load()
    if isinstance(image, TiffImageFile):
        image = as_meant(image)
    upright = ImageOps.exif_transpose(image) if turned > 1 else image
    # Half of 4,001 pixels is 2,001, the last of which is empty by half: if turned, it is the first.
    sides = zip(_MIRRORED, upright.size, (header.width, header.height), strict=True)
    left, top = (has - full * scale if turned in these else 0.0 for these, has, full in sides)
    return Picture(upright, (scale, scale), (left, top))


def _in_colours(picture: Picture, srgb: Collection[bool]) -> dict[bool, Picture]:
    several = len(srgb) > 1

    def coloured(in_srgb: bool) -> Picture:
        image = picture.image.copy() if several else picture.image
        return replace(picture, image=to_rgb(image, srgb=in_srgb))

    return {each: coloured(each) for each in srgb}
