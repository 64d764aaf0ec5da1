"""Decode a picture: upright, in RGB, and at no larger a scale than its variants need."""

from collections.abc import Collection

from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from conversions.imaging.colour import to_rgb
from conversions.imaging.errors import damaged
from conversions.imaging.header import Header, orientation
from conversions.imaging.pyramid import Picture
from conversions.imaging.tiff import as_meant

# At how many eighths of its size a JPEG can be decoded, and how many pixels that must leave for one
# of a variant. Of its blocks of 8×8 little more than averages is left at one and two eighths.
_SCALES = ((1, 1.5), (2, 1.5), (3, 1.0), (4, 1.0), (8, 0.0))
_SOFT = 0.12  # bytes per pixel; fewer have no detail that a short kernel would lose
_MIRRORED = ({2, 3, 6, 7}, {3, 4, 7, 8})  # orientations that turn left and right, top and bottom


def decode(
    image: Image.Image,
    header: Header,
    *,
    file_size: int,
    shrinkage: float,
    srgb: Collection[bool] = (True,),
) -> list[Picture]:
    """Decode a picture that was opened; return it once for each value of `srgb` (see colour.py).

    `file_size` is in bytes. `shrinkage` says how many of its pixels go into one of a variant, at
    the least. Raise FileRefused where it is damaged.
    """
    turned = orientation(image)
    try:
        scale = _draft(image, shrinkage) if isinstance(image, JpegImageFile) else 1.0
        image.load()
        if isinstance(image, TiffImageFile):
            image = as_meant(image)
        upright = ImageOps.exif_transpose(image) if turned > 1 else image
        images = [to_rgb(upright.copy() if len(srgb) > 1 else upright, srgb=each) for each in srgb]
    except MemoryError:
        raise
    except Exception as error:
        raise damaged() from error
    # Half of 4,001 pixels is 2,001, the last of which is empty by half: if turned, it is the first.
    sides = zip(_MIRRORED, upright.size, (header.width, header.height), strict=True)
    left, top = (has - full * scale if turned in these else 0.0 for these, has, full in sides)
    soft = header.format == "JPEG" and file_size < _SOFT * header.width * header.height
    return [Picture(each, (scale, scale), (left, top), soft) for each in images]


def _draft(image: JpegImageFile, shrinkage: float) -> float:
    """Have a JPEG decoded at a smaller scale, and return that. Image.draft does it without 3/8."""
    eighths = next(each for each, least in _SCALES if shrinkage * each / 8 >= least)
    if eighths < 8:
        width, height = (-(-side * eighths // 8) for side in image.size)
        image.tile = [image.tile[0]._replace(extents=(0, 0, width, height))]
        image.decoderconfig = (-(-8 // eighths), 0)  # libjpeg takes the next larger scale for 1/3
        image._size = (width, height)
    return eighths / 8
