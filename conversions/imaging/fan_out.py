"""Decode a picture once, and make many variants of it on all processors.

What takes longest is begun first: the size that an expensive encoder waits for, then the encoder;
cheap sizes and formats are made meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from PIL import Image

from conversions.imaging import cost
from conversions.imaging.chroma import reduced
from conversions.imaging.decode import decode
from conversions.imaging.encode import encode
from conversions.imaging.finish import finished
from conversions.imaging.geometry import Box, Geometry, geometry
from conversions.imaging.header import Header, open_picture
from conversions.imaging.limits import Deadline
from conversions.imaging.making import Making
from conversions.imaging.memory import check_encoding, of_film
from conversions.imaging.metadata import exif_of
from conversions.imaging.moving.film import Film
from conversions.imaging.moving.read import film_of, first_frame
from conversions.imaging.moving.write import moves, write_film
from conversions.imaging.operations import Operation, operations_of
from conversions.imaging.pyramid import Level, Picture, Strip, pyramid
from conversions.imaging.recipe import Metadata, Recipe
from conversions.imaging.work import Work, processors

_NO_WATERMARKS: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True)
class Variant:
    """An encoded variant: its bytes and its size in pixels."""

    data: bytes
    width: int
    height: int


Made = tuple[Recipe, Variant]
_Variants = list[tuple[Recipe, Geometry]]


def make_variants(
    data: bytes,
    recipes: Sequence[Recipe],
    *,
    watermarks: Mapping[str, bytes] = _NO_WATERMARKS,
    seconds: float | None = None,
) -> Iterator[Made]:
    """Yield each variant as soon as it is there, in any order, with its recipe for this source.

    `watermarks` has the bytes of those that recipes name, by their keys. Raise FileRefused, also
    where it takes longer than `seconds`, or what operations_of raises. When the iterator is closed,
    or raises, nothing goes on behind its back.
    """
    fan_out = _begun(data, recipes, watermarks, Deadline(seconds))
    yield from fan_out.results(len(recipes))


def make_variants_of(
    image: Image.Image,
    recipes: Sequence[Recipe],
    *,
    watermarks: Mapping[str, bytes] = _NO_WATERMARKS,
    seconds: float | None = None,
) -> Iterator[Made]:
    """Do the same with a picture that was never a file, in RGB or RGBA and sRGB. Formats of
    recipes must be known. Nothing else may use the picture meanwhile.
    """
    variants = [(recipe, geometry(image.size, recipe)) for recipe in recipes]
    fan_out = _FanOut(_operations(variants, watermarks), {}, Deadline(seconds))
    fan_out.begin(Picture(image, (1.0, 1.0)), pyramid(image.size, variants))
    yield from fan_out.results(len(variants))


def _begun(
    data: bytes, recipes: Sequence[Recipe], watermarks: Mapping[str, bytes], deadline: Deadline
) -> "_FanOut":
    """Decode a file, and begin. The source's pixels are let go with the last size made of them."""
    image, header = open_picture(data)
    size = (header.width, header.height)
    variants = [
        (each, geometry(size, each)) for each in (r.for_source(header.format) for r in recipes)
    ]
    films = [variant for variant in variants if moves(header, variant[0])]
    stills = [variant for variant in variants if not moves(header, variant[0])]
    _check_memory(header, len(data), films, stills)
    exif = {what: exif_of(image, what) for what in {recipe.metadata for recipe in recipes}}
    fan_out = _FanOut(_operations(variants, watermarks), exif, deadline)
    pictures = _stills(image, header, data, stills) if stills else {}
    try:
        for recipe, part in films:
            film = film_of(data, header, srgb=recipe.srgb)
            fan_out.begin_film(film, recipe, part, header.frames)
        for srgb, picture in pictures.items():
            fan_out.begin(picture, pyramid(size, [each for each in stills if each[0].srgb is srgb]))
    except BaseException:  # some may be at work already
        fan_out.end()
        raise
    return fan_out


def _check_memory(header: Header, count: int, films: _Variants, stills: _Variants) -> None:
    pixels = header.width * header.height
    check_encoding(
        pixels,
        count,
        [(recipe.format, part) for recipe, part in stills],
        [of_film(header.format, pixels, each.format, part.final_size) for each, part in films],
        processors=processors(),
    )


def _stills(
    image: Image.Image, header: Header, data: bytes, variants: _Variants
) -> dict[bool, Picture]:
    """Decode what variants need that do not move: by whether they are to be in sRGB."""
    if header.format == "GIF":  # what its first frame leaves out is black to Pillow
        image = first_frame(film_of(data, header))
    return decode(image, header, data, variants)


class _FanOut:
    """The steps from one picture to its variants. Each begins those that waited for it."""

    def __init__(
        self,
        operations: Mapping[Recipe, Sequence[Operation]],
        exif: Mapping[Metadata, bytes],
        deadline: Deadline,
    ) -> None:
        self._operations = operations
        self._exif = exif
        self._deadline = deadline
        # A picture that is encoded alone has all processors; several are encoded side by side.
        self._threads = max(1, processors() // len(operations)) if operations else 1
        self._work: Work[Made] = Work()

    def results(self, count: int) -> Iterator[Made]:
        return self._work.results(count)

    def end(self) -> None:
        self._work.end()

    def begin(self, picture: Picture, levels: list[Level]) -> None:
        """Begin with the levels that are made of the whole picture, decoded, in RGB or RGBA."""
        if picture.image.mode == "RGBA":  # so that what is transparent has no say
            picture = replace(picture, image=picture.image.convert("RGBa"))
        for level in levels:
            self._begin(level, picture)

    def begin_film(self, film: Film, recipe: Recipe, part: Geometry, count: int) -> None:
        """Begin with a variant that moves, of a film of so many frames."""
        pressing = count * cost.encoding(recipe, part.final_size)
        self._work.add(partial(self._film, film, recipe, part), pressing=pressing)

    def _begin(self, level: Level, parent: Picture) -> None:
        """Have a level made of a larger picture, on as many threads as are free."""
        box = parent.box(level.box)
        whole = level.size == parent.image.size and [*box] == [0, 0, *level.size]
        if whole and not parent.chroma:
            self._made(level, parent, parent.image, parent.image)
            return
        making = Making(level, parent, self._operations)
        for strip in making.strips:
            step = partial(self._resize, making, strip)
            self._work.add(step, pressing=_pressing(level, box))

    def _resize(self, making: Making, strip: Strip) -> None:
        if whole := making.resize(strip):
            self._made(making.level, making.parent, whole[0], whole[-1])

    def _made(self, level: Level, parent: Picture, image: Image.Image, seen: Image.Image) -> None:
        for recipe, part in level.variants:
            step = partial(self._variant, recipe, part, seen)
            self._work.add(step, pressing=cost.encoding(recipe, part.final_size))
        left, top, right, bottom = level.box
        scale = (level.size[0] / (right - left), level.size[1] / (bottom - top))
        chroma = reduced(parent.chroma, level.children) if parent.chroma else None
        for child in level.children:
            self._begin(child, Picture(image, scale, chroma=chroma))

    def _variant(self, recipe: Recipe, part: Geometry, image: Image.Image) -> Made:
        self._deadline.check()
        made = finished(image, recipe, part, self._operations[recipe])
        if made is image:  # others use it at the same time, and Pillow notes settings on it
            made = image._new(image.im)
        exif = self._exif.get(recipe.metadata, b"")
        data = encode(made, recipe, exif=exif, threads=self._threads)
        return recipe, Variant(data, *made.size)

    def _film(self, film: Film, recipe: Recipe, part: Geometry) -> Made:
        def make(frame: Image.Image) -> Image.Image:
            return finished(_resized(frame, part), recipe, part, self._operations[recipe])

        exif = self._exif[recipe.metadata]
        data = write_film(film, recipe, make, exif=exif, deadline=self._deadline)
        return recipe, Variant(data, *part.final_size)


def _pressing(level: Level, box: Box) -> float:
    """Return how long it takes from here to the last variant, if all is made at once."""
    left, top, right, bottom = box
    encoders = [cost.encoding(recipe, part.final_size) for recipe, part in level.variants]
    children = [_pressing(child, (0, 0, *level.size)) for child in level.children]
    return cost.resizing((right - left, bottom - top), level.size) + max(encoders + children)


def _resized(frame: Image.Image, part: Geometry) -> Image.Image:
    if frame.size == part.size and [*part.box] == [0, 0, *part.size]:
        return frame
    if frame.mode == "RGBA":
        frame = frame.convert("RGBa")
    return frame.resize(part.size, Image.Resampling.LANCZOS, box=part.box)


def _operations(
    variants: _Variants, watermarks: Mapping[str, bytes]
) -> dict[Recipe, Sequence[Operation]]:
    return {recipe: operations_of(recipe, watermarks) for recipe, _ in variants}
