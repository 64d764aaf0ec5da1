"""A moving picture, written in every format that can move."""

from collections.abc import Callable, Iterator

from PIL import Image

from conversions.imaging import read_header
from conversions.imaging.moving.apng_writer import write_apng
from conversions.imaging.moving.avif_writer import write_avif
from conversions.imaging.moving.film import Film, Frame
from conversions.imaging.moving.gif_writer import write_gif
from conversions.imaging.moving.read import film_of
from conversions.imaging.moving.webp_writer import write_webp
from tests.conversions import corpus

Frames = Iterator[Frame]
EXIF = corpus.exif()[6:]


def png(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile")
    return corpus.encoded(image, "PNG", icc_profile=profile, exif=EXIF)


def lossless_webp(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile")
    return corpus.encoded(image, "WEBP", lossless=True, exact=True, icc_profile=profile)


WRITERS: dict[str, Callable[[Frames, int], bytes]] = {
    "GIF": write_gif,
    "PNG": lambda frames, plays: write_apng(frames, plays, png),
    "WEBP": lambda frames, plays: write_webp(frames, plays, lossless_webp, alike=0, exif=EXIF),
    "AVIF": lambda frames, _plays: write_avif(frames, {"format": "AVIF", "quality": 95}),
}
EXACT = ["GIF", "PNG", "WEBP"]


def frames(mode: str = "RGBA", durations: tuple[float, ...] = (100, 0, 30, 70)) -> Frames:
    """A red square wanders over nothing, and over something blue that stands still."""
    for number, duration in enumerate(durations):
        image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
        image.paste((0, 0, 255, 255), (20, 0, 40, 40))
        image.paste((255, 0, 0, 255), (number * 8, 10, number * 8 + 12, 22))
        yield Frame(image.convert(mode), duration)


def written(kind: str, given: Frames, plays: int = 0) -> tuple[bytes, Film]:
    data = WRITERS[kind](given, plays)
    return data, film_of(data, read_header(data))
