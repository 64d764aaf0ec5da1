"""Look at an uploaded picture without decoding it: what is it, and may it be decoded at all?

Its type is what the bytes say, never the name. Every refusal is final. Pillow raises nearly
anything on broken data (struct.error, IndexError, zlib.error, …): whatever it raises is a matter of
the bytes. Only a lack of memory is not, and may be tried again.
"""

import io
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import TiffImageFile

from conversions.imaging.errors import FileRefused, damaged
from conversions.imaging.jpeg import JPEG_SIGNATURE, check_scans
from conversions.imaging.limits import (
    check_bytes,
    check_frames,
    check_size,
    too_many_pixels,
)
from conversions.imaging.memory import check_decoding
from conversions.imaging.moving.count import count_frames
from conversions.imaging.png import scale_transparency
from conversions.imaging.tiff import stored_pixels

# What is packed in a PNG beside its pixels: more than Pillow's own megabyte costs no good picture.
PngImagePlugin.MAX_TEXT_CHUNK = 8_000_000

# Only decoders that are meant for pictures from strangers. No EPS, no PDF, nothing that runs code.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")

# What begins so, and yet cannot be opened, is damaged. Of TIFF there are kinds that nobody opens.
_SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP|....ftypavi[fs]", re.DOTALL
)
_ORIENTATION = 0x0112
_filtering = threading.Lock()  # filters of warnings are the process's, and films open in threads
_LYING = {5, 6, 7, 8}  # orientations that swap the sides (Exif 2.32, 4.6.4 A)


@dataclass(frozen=True)
class Header:
    """What a picture's header says: its format, its size in pixels once it stands upright, and how
    many frames it has. Pages of a TIFF, and the pictures behind a phone's first, are no frames.
    """

    format: str
    width: int
    height: int
    frames: int = 1


def read_header(data: bytes) -> Header:
    """Say what a picture is. Raise FileRefused where it is none, or too large in any respect.

    Damage behind the header goes unseen.
    """
    return open_picture(data)[1]


def open_picture(data: bytes) -> tuple[Image.Image, Header]:
    """Open a picture, and check every limit. No pixel is decoded yet. Raise FileRefused."""
    check_bytes(len(data))
    frames = count_frames(data)
    if data.startswith(JPEG_SIGNATURE):
        check_scans(data)
    image = _opened(data)
    if isinstance(image, PngImagePlugin.PngImageFile):
        scale_transparency(image)
    width, height = image.size
    check_size(width, height)
    kind = "JPEG" if image.format == "MPO" else image.format or ""
    if frames is None:
        frames = getattr(image, "n_frames", 1) if kind == "AVIF" else 1
    check_frames(frames, width * height * frames)
    pixels = stored_pixels(image, data) if isinstance(image, TiffImageFile) else width * height
    check_decoding(kind, pixels, len(data))
    if kind != "TIFF" and orientation(image) in _LYING:  # Pillow turns a TIFF by itself
        width, height = height, width
    return image, Header(kind, width, height, frames)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none, or none that can be read."""
    try:
        with _quiet():
            value = image.getexif().get(_ORIENTATION, 1)
    except MemoryError:
        raise
    except Exception:  # a broken tag must not cost a good picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _opened(data: bytes) -> Image.Image:
    with _quiet():
        try:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise too_many_pixels() from error
        except MemoryError:
            raise
        except Exception as error:
            if _SIGNATURE.match(data):
                _check_claim(data)
                raise damaged() from error
            raise FileRefused(
                "not_an_image",
                "This is not a picture of a kind that can be converted.",
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Pass over warnings: of Pillow's own pixel limit, above ours, and of odd tags."""
    with _filtering, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_claim(data: bytes) -> None:
    """Check the size that an AVIF claims: libavif does not say it of one that is too large."""
    at = data.find(b"ispe")
    if data[4:8] == b"ftyp" and 0 <= at <= len(data) - 16:
        check_size(*struct.unpack_from(">II", data, at + 8))
