"""What Pillow does not look at in a TIFF's tags: of what size its tiles are, and its gray."""

import struct

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from conversions.imaging.errors import damaged

_BITS, _PHOTOMETRIC, _TILE_WIDTH, _TILE_LENGTH = 258, 262, 322, 323  # tags (TIFF 6.0)
_WHITE_IS_ZERO = 0
_BIG = 43  # a BigTIFF's version


def stored_pixels(image: TiffImageFile, data: bytes) -> int:
    """Return how many pixels are decoded: of whole tiles, however far they reach beyond the
    picture. Raise FileRefused where tiles have no size, or two, of which libtiff takes the first,
    and Pillow the last.
    """
    tags, sides = _tags(data), []
    for side, tag in zip(image.size, (_TILE_WIDTH, _TILE_LENGTH), strict=True):
        tile = image.tag_v2.get(tag, 1)
        if not isinstance(tile, int) or tile < 1 or tags.count(tag) > 1:
            raise damaged()
        sides.append(-(-side // tile) * tile)
    return sides[0] * sides[1]


def _tags(data: bytes) -> list[int]:
    """Return the tags of the first page, each as often as it is there.

    Pillow takes a BigTIFF that is big-endian for a TIFF, and libtiff does not.
    """
    if data.startswith(b"MM\0\x2b"):
        raise damaged()
    order = "<" if data.startswith(b"II") else ">"
    big = data[2] == _BIG
    try:
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
        entries = range(at + (8 if big else 2), len(data), 20 if big else 12)[:count]
        return [struct.unpack_from(order + "H", data, each)[0] for each in entries]
    except struct.error as error:
        raise damaged() from error


def as_meant(image: TiffImageFile) -> Image.Image:
    """Return a decoded TIFF with gray of 12 bits scaled to 16, and with black where it says so."""
    if not image.mode.startswith("I;16"):
        return image
    tags, gray = image.tag_v2, image.convert("I")
    if tags.get(_BITS) == (12,):
        gray = gray.point(lambda shade: shade * 16)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        gray = gray.point(lambda shade: shade * -1 + 65_535)
    return gray
