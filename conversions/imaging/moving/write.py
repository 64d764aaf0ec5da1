"""Make a moving variant of a moving picture: every frame as a still one would be made."""

import math
from collections.abc import Callable, Iterator
from functools import partial

from PIL import Image

from conversions.imaging.encode import encode, settings
from conversions.imaging.header import Header
from conversions.imaging.limits import Deadline
from conversions.imaging.moving.apng_writer import write_apng
from conversions.imaging.moving.avif_writer import write_avif
from conversions.imaging.moving.film import Film, Frame
from conversions.imaging.moving.gif_writer import write_gif
from conversions.imaging.moving.webp_writer import write_webp
from conversions.imaging.recipe import Animation, Format, Recipe

Frames = Iterator[Frame]


def moves(header: Header, recipe: Recipe) -> bool:
    """Say whether a variant moves. The recipe's format is known (Recipe.for_source)."""
    return header.frames > 1 and recipe.animation is Animation.KEEP and recipe.format in _WRITERS


def write_film(
    film: Film,
    recipe: Recipe,
    make: Callable[[Image.Image], Image.Image],
    *,
    exif: bytes,
    deadline: Deadline,
) -> bytes:
    """Return the variant's bytes. `make` makes its frame of the source's. Raise FileRefused."""

    def made() -> Frames:
        for frame in film.frames():
            deadline.check()
            yield Frame(make(frame.image), frame.duration)

    return _WRITERS[recipe.format](made(), film.plays, recipe, exif)


def _gif(frames: Frames, plays: int, _recipe: Recipe, _exif: bytes) -> bytes:
    return write_gif(frames, plays)


def _png(frames: Frames, plays: int, recipe: Recipe, exif: bytes) -> bytes:
    return write_apng(frames, plays, partial(encode, recipe=recipe, exif=exif))


def _webp(frames: Frames, plays: int, recipe: Recipe, exif: bytes) -> bytes:
    kept = math.sqrt(recipe.quality / 100)  # as libwebp has it: from 1 shade to 31
    alike = round(kept + 31 * (1 - kept))
    return write_webp(frames, plays, partial(encode, recipe=recipe), alike=alike, exif=exif)


def _avif(frames: Frames, _plays: int, recipe: Recipe, exif: bytes) -> bytes:
    return write_avif(frames, settings(recipe), exif=exif)


_WRITERS: dict[Format, Callable[[Frames, int, Recipe, bytes], bytes]] = {
    Format.GIF: _gif,
    Format.PNG: _png,
    Format.WEBP: _webp,
    Format.AVIF: _avif,
}
