"""Gray of a TIFF that Pillow decodes without looking at all of its tags."""

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

_BITS, _PHOTOMETRIC = 258, 262  # tags (TIFF 6.0)
_WHITE_IS_ZERO = 0


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
