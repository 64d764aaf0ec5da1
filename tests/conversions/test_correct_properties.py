"""Every picture by every recipe: a variant of the right format, size and frames, or a refusal."""

import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conversions.imaging import (
    Animation,
    Effort,
    FileRefused,
    Fit,
    Format,
    Header,
    Metadata,
    Position,
    Recipe,
    Variant,
    Watermark,
    make_variants,
    read_header,
)
from conversions.imaging.moving.apng_writer import write_apng
from conversions.imaging.moving.webp_writer import write_webp
from tests.conversions import by_hand, corpus, icc
from tests.conversions.by_hand import Part
from tests.conversions.films import frames, lossless_webp, written

MARK = corpus.encoded(corpus.sticker((20, 10)), "PNG")
MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("L", "RGB", "RGBA"),
    "GIF": ("1", "L", "P"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
}
PROFILES = [b"", b"junk", icc.swapped(), icc.linear_gray(), icc.green_cyan()]
FILMS = [
    *(written(kind, frames())[0] for kind in ("GIF", "PNG", "WEBP", "AVIF")),
    write_apng(frames(), 0, lambda image: corpus.encoded(image, "PNG", exif=corpus.exif(6))),
    write_webp(frames(), 0, lossless_webp, alike=0, exif=corpus.exif(7)),
    by_hand.gif_of(
        (9, 7),
        *(
            Part((at, 0, 9, at + 1), at % 4, disposal=at % 4, transparent=by_hand.WHITE)
            for at in range(5)
        ),
    ),
    by_hand.apng_of(
        (9, 7),
        *(
            Part((at, 0, 9, at + 1), (9, 80, 200, 50 * at), disposal=at % 3, blend=at % 2)
            for at in range(5)
        ),
        before=(1, 2, 3, 4),
    ),
]

sides = st.one_of(st.integers(1, 40), st.integers(41, 300))


@st.composite
def pictures(draw: Any) -> bytes:
    kind = draw(st.sampled_from(list(MODES)))
    mode = draw(st.sampled_from(MODES[kind]))
    image = corpus.sticker((24, 16)).resize((draw(sides), draw(sides)))
    for step in {"I;16": ("L", "I", mode), "LAB": ("RGB", mode), "CMYK": ("RGB", mode)}.get(
        mode, (mode,)
    ):
        image = image.convert(step)
    options: dict[str, Any] = {}
    if kind in {"PNG", "JPEG", "TIFF", "WEBP", "AVIF"} and (
        profile := draw(st.sampled_from(PROFILES))
    ):
        options["icc_profile"] = profile
    if kind in {"PNG", "JPEG", "WEBP", "AVIF", "TIFF"}:
        options["exif"] = corpus.exif(draw(st.integers(1, 8)))
    return corpus.encoded(image, kind, **options)


@st.composite
def recipes(draw: Any) -> Recipe:
    fit = draw(st.sampled_from(Fit))
    side = sides if fit is not Fit.CONTAIN else st.none() | sides
    return Recipe(
        code="t",
        version=1,
        format=draw(st.sampled_from(Format)),
        width=draw(side),
        height=draw(side),
        fit=fit,
        upscale=draw(st.booleans()),
        focal_x=draw(st.integers(0, 100)),
        focal_y=draw(st.integers(0, 100)),
        quality=draw(st.integers(1, 100)),
        effort=draw(st.sampled_from(Effort)),
        progressive=draw(st.booleans()),
        background=draw(st.sampled_from(["#ffffff", "#000000", "#12ab9f"])),
        animation=draw(st.sampled_from(Animation)),
        grayscale=draw(st.booleans()),
        sharpen=draw(st.sampled_from([0, 1, 100, 300])),
        srgb=draw(st.booleans()),
        metadata=draw(st.sampled_from(Metadata)),
        watermark=draw(
            st.none()
            | st.builds(
                Watermark,
                key=st.just("mark"),
                position=st.sampled_from(Position),
                width=st.integers(1, 100),
                opacity=st.integers(1, 100),
            )
        ),
    )


def check(header: Header, recipe: Recipe, variant: Variant) -> None:
    """See that a variant is what its recipe asks for."""
    with Image.open(io.BytesIO(variant.data)) as opened:
        assert opened.format == recipe.format.name
        assert opened.size == (variant.width, variant.height)
        moving = recipe.animation is Animation.KEEP and recipe.format is not Format.JPEG
        assert getattr(opened, "n_frames", 1) == (header.frames if moving else 1)
        for number in range(getattr(opened, "n_frames", 1)):
            opened.seek(number)
            opened.load()
        assert 0x0112 not in opened.getexif()
    box = (recipe.width or 65_535, recipe.height or 65_535)
    assert variant.width <= box[0]
    assert variant.height <= box[1]
    if not recipe.upscale and recipe.fit is not Fit.PAD:
        assert variant.width <= header.width
        assert variant.height <= header.height
    if recipe.fit is Fit.PAD or (recipe.fit is not Fit.CONTAIN and recipe.upscale):
        assert (variant.width, variant.height) == box


def make(data: bytes, recipe: Recipe) -> tuple[Recipe, Variant]:
    (made,) = make_variants(data, [recipe], watermarks={"mark": MARK})
    return made


@settings(max_examples=150, deadline=None)
@given(data=pictures(), recipe=recipes())
def test_every_picture_by_every_recipe(data: bytes, recipe: Recipe) -> None:
    check(read_header(data), *make(data, recipe))


@settings(max_examples=60, deadline=None)
@given(data=st.sampled_from(FILMS), recipe=recipes())
def test_every_film_by_every_recipe(data: bytes, recipe: Recipe) -> None:
    check(read_header(data), *make(data, recipe))


@pytest.mark.parametrize("name", corpus.GOOD)
def test_every_file_of_the_corpus_in_every_format(name: str) -> None:
    data = corpus.GOOD[name]
    asked = [Recipe(code=kind, version=1, format=kind, width=40) for kind in Format]
    made = list(make_variants(data, asked))
    assert len(made) == len(asked)
    for recipe, variant in made:
        check(read_header(data), recipe, variant)


@pytest.mark.parametrize("name", corpus.REFUSED)
def test_what_is_refused_is_refused_whatever_is_to_be_made(name: str) -> None:
    data, code = corpus.REFUSED[name]
    for kind in Format:
        with pytest.raises(FileRefused) as refused:
            make(data, Recipe(code="t", version=1, format=kind, width=10))
        assert refused.value.code == code


@settings(max_examples=200, deadline=None)
@given(
    data=st.sampled_from(FILMS),
    at=st.floats(0, 1, exclude_max=True),
    junk=st.binary(min_size=1, max_size=8),
    kind=st.sampled_from([Format.GIF, Format.JPEG]),
)
def test_broken_films_make_a_variant_or_a_refusal_and_nothing_else(
    data: bytes, at: float, junk: bytes, kind: Format
) -> None:
    place = int(len(data) * at)
    broken = data[:place] + junk + data[place + len(junk) :]
    recipe = Recipe(code="t", version=1, format=kind, width=20)
    with suppress(FileRefused):  # any other exception would have a function try again
        check(read_header(broken), *make(broken, recipe))
