"""Read an uploaded picture. Its type is what the bytes say; limits are checked before decoding.

Every refusal is final. Pillow's decoders raise nearly anything on broken data (struct.error,
IndexError, zlib.error, …): whatever they raise is a matter of the bytes, and is "damaged". Only
a lack of memory is not, and may be tried again.
"""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

from conversions.imaging.colour import to_rgb
from conversions.imaging.errors import FileRefused

# Only decoders that are meant for pictures from strangers. No EPS, no PDF, nothing that runs code.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
MOST_PIXELS = 60_000_000
MOST_SIDE = 30_000
TOO_MANY_PIXELS = f"The picture has more than {MOST_PIXELS // 1_000_000} megapixels."

_ORIENTATION = 0x0112
_LYING = {5, 6, 7, 8}  # orientations that swap the sides (Exif 2.32, 4.6.4 A)


@dataclass(frozen=True)
class Header:
    """What a picture's header says: its format, and its size in pixels once it stands upright."""

    format: str
    width: int
    height: int


@dataclass(frozen=True)
class Source:
    """A decoded picture, upright, in RGB or RGBA."""

    image: Image.Image
    format: str

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size


def read_header(data: bytes) -> Header:
    """Look at a picture without decoding it. Raise FileRefused as `open_source` does, except that
    damage behind the header goes unseen.
    """
    image = _opened(data)
    width, height = image.size
    if _orientation(image) in _LYING:
        width, height = height, width
    return Header(_format(image), width, height)


def open_source(data: bytes) -> Source:
    """Decode a picture. Raise FileRefused for anything that is none, or is too large."""
    image = _opened(data)
    kind = _format(image)
    try:
        image.load()
        upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
        return Source(to_rgb(upright), kind)
    except MemoryError:
        raise
    except Exception as error:
        raise FileRefused("damaged", "The picture is damaged or cut off.") from error


def _opened(data: bytes) -> Image.Image:
    if not data:
        raise FileRefused("empty", "The file is empty.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's own pixel limit, above ours, and of odd tags
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise FileRefused("too_many_pixels", TOO_MANY_PIXELS) from error
        except MemoryError:
            raise
        except Exception as error:
            raise FileRefused(
                "not_an_image",
                "This is not a picture of a kind that can be converted.",
            ) from error
    _check_size(image)
    return image


def _check_size(image: Image.Image) -> None:
    """Refuse by what the header says, before a pixel is decoded."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise FileRefused("too_many_pixels", TOO_MANY_PIXELS)
    if max(width, height) > MOST_SIDE:
        raise FileRefused(
            "side_too_long", f"A side has {max(width, height)} pixels; {MOST_SIDE} are allowed."
        )


def _format(image: Image.Image) -> str:
    """Return the format's name; an MPO is a JPEG with more pictures behind the first."""
    return "JPEG" if image.format == "MPO" else image.format or ""


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none, or none that can be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken tag must not cost a good picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
