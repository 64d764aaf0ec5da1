"""Read a moving picture. What a decoder raises, whatever it is, is a matter of the bytes."""

from collections.abc import Iterator

from PIL import Image

from conversions.imaging.colour import to_rgb
from conversions.imaging.errors import FileRefused, damaged
from conversions.imaging.header import Header, open_picture
from conversions.imaging.moving.apng_reader import apng_film
from conversions.imaging.moving.film import Film, Frame
from conversions.imaging.moving.gif_reader import gif_film


def film_of(data: bytes, header: Header, *, srgb: bool = True) -> Film:
    """Return a picture's frames. Raise FileRefused, and so does reading them. For `srgb` see
    colour.py.
    """
    film = _film(data, header, srgb=srgb)
    return Film(film.plays, lambda: _refusing(film))


def first_frame(film: Film) -> Image.Image:
    """Return the first frame as a picture of its own, in RGB where nothing in it is transparent."""
    image = next(film.frames()).image
    opaque = image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255)
    return image.convert("RGB") if opaque else image.copy()


def _film(data: bytes, header: Header, *, srgb: bool) -> Film:
    if header.format == "GIF":
        return gif_film(data)
    if header.format == "PNG":
        return apng_film(data, srgb=srgb)
    # libwebp lays frames on one another by itself, and AVIF's are whole. Pillow knows no AVIF's
    # number of times; for ever is what encoders say.
    image, _ = open_picture(data)
    return Film(
        image.info.get("loop", 0), lambda: _decoded(open_picture(data)[0], header.frames, srgb=srgb)
    )


def _decoded(image: Image.Image, count: int, *, srgb: bool) -> Iterator[Frame]:
    for number in range(count):
        image.seek(number)
        image.load()
        yield Frame(to_rgb(image.copy(), srgb=srgb), image.info["duration"])


def _refusing(film: Film) -> Iterator[Frame]:
    try:
        yield from film.frames()
    except (MemoryError, FileRefused):
        raise
    except Exception as error:
        raise damaged() from error
