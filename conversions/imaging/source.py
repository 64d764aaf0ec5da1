"""Decode an uploaded picture, once it is known that it may be (header.py)."""

from dataclasses import dataclass

from PIL import Image, ImageOps

from conversions.imaging.colour import to_rgb
from conversions.imaging.errors import damaged
from conversions.imaging.header import open_picture


@dataclass(frozen=True)
class Source:
    """A decoded picture, upright, in RGB or RGBA."""

    image: Image.Image
    format: str

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size


def open_source(data: bytes) -> Source:
    """Decode a picture. Raise FileRefused for anything that is none, or is too large."""
    image, header = open_picture(data)
    try:
        image.load()
        return Source(to_rgb(ImageOps.exif_transpose(image)), header.format)
    except MemoryError:
        raise
    except Exception as error:
        raise damaged() from error
