"""Read an uploaded picture. Its type is what the bytes say; limits are checked before decoding."""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from conversions.imaging.errors import ImageRefused

# Only decoders that are meant for pictures from strangers. No EPS, no PDF, nothing that runs code.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
MOST_PIXELS = 60_000_000
MOST_SIDE = 30_000
TOO_MANY_PIXELS = f"The picture has more than {MOST_PIXELS // 1_000_000} megapixels."


@dataclass(frozen=True)
class Source:
    """A decoded picture, upright, in RGB or RGBA."""

    image: Image.Image
    format: str

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size


def open_source(data: bytes) -> Source:
    """Decode a picture. Raise ImageRefused for anything that is none, or is too large."""
    if not data:
        raise ImageRefused("empty", "The file is empty.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is below it
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError as error:  # Pillow's own limit, above ours
            raise ImageRefused("too_many_pixels", TOO_MANY_PIXELS) from error
        except (UnidentifiedImageError, OSError) as error:
            raise ImageRefused(
                "not_an_image",
                "This is not a picture of a kind that can be converted.",
            ) from error
    _check_size(image)
    kind = image.format or ""
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
        return Source(_to_rgb(upright), kind)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageRefused("damaged", "The picture is damaged or cut off.") from error


def _check_size(image: Image.Image) -> None:
    """Refuse by what the header says, before a pixel is decoded."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ImageRefused("too_many_pixels", TOO_MANY_PIXELS)
    if max(width, height) > MOST_SIDE:
        raise ImageRefused(
            "side_too_long", f"A side has {max(width, height)} pixels; {MOST_SIDE} are allowed."
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    """Bring any mode to RGB, or RGBA where something is transparent. 16-bit gray is scaled."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    has_alpha = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "RGB")
