"""What Pillow does not look at in a TIFF's tags: of what size its tiles are, and its gray."""

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from conversions.imaging.errors import damaged

_BITS, _PHOTOMETRIC, _TILE_WIDTH, _TILE_LENGTH = 258, 262, 322, 323  # tags (TIFF 6.0)
_WHITE_IS_ZERO = 0


def stored_pixels(image: TiffImageFile) -> int:
    """Return how many pixels are decoded: of whole tiles, however far they reach beyond the
    picture. Raise FileRefused where tiles have no size.
    """
    sides = []
    for side, tag in zip(image.size, (_TILE_WIDTH, _TILE_LENGTH), strict=True):
        tile = image.tag_v2.get(tag, 1)
        if not isinstance(tile, int) or tile < 1:
            raise damaged()
        sides.append(-(-side // tile) * tile)
    return sides[0] * sides[1]


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
