"""Read a moving picture. What a decoder raises, whatever it is, is a matter of the bytes."""

from collections.abc import Iterator

from PIL import Image

from conversions.imaging.colour import to_rgb
from conversions.imaging.errors import FileRefused, damaged
from conversions.imaging.header import Header, open_picture, orientation
from conversions.imaging.moving.apng_reader import apng_film
from conversions.imaging.moving.film import Film, Frame
from conversions.imaging.moving.gif_reader import gif_film

# What makes a picture upright, by its orientation (Exif 2.32, 4.6.4 A).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def film_of(data: bytes, header: Header, *, srgb: bool = True) -> Film:
    """Return a picture's frames. Raise FileRefused, and so does reading them. For `srgb` see
    colour.py.
    """
    film = _film(data, header, srgb=srgb)
    turn = None if header.format == "GIF" else _TURNS.get(orientation(open_picture(data)[0]))
    return Film(film.plays, lambda: _upright(_refusing(film), turn))


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


def _upright(frames: Iterator[Frame], turn: Image.Transpose | None) -> Iterator[Frame]:
    for frame in frames:
        yield frame if turn is None else Frame(frame.image.transpose(turn), frame.duration)


def _refusing(film: Film) -> Iterator[Frame]:
    try:
        yield from film.frames()
    except (MemoryError, FileRefused):
        raise
    except Exception as error:
        raise damaged() from error
