"""Moving pictures in, variants out: from every format that can move into every other."""

import io
import itertools
from functools import partial
from typing import Any

import pytest
from PIL import ExifTags, Image

from conversions.filetypes import by_code
from conversions.imaging import (
    Animation,
    FileRefused,
    Fit,
    Format,
    Metadata,
    Position,
    Recipe,
    Variant,
    Watermark,
    fan_out,
    limits,
    make_variants,
    plan_units,
    read_header,
)
from conversions.imaging.moving.read import film_of
from tests.conversions import by_hand, corpus
from tests.conversions.by_hand import BLUE, RED, Part
from tests.conversions.films import frames, written

SOURCES = {kind: written(kind, frames(), 3)[0] for kind in ("GIF", "PNG", "WEBP", "AVIF")}
MOVING = [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF]


def made(data: bytes, **recipe: Any) -> Variant:
    mark = corpus.encoded(Image.new("RGBA", (4, 4), "lime"), "PNG")
    values = {"code": "t", "version": 1, "width": 30, **recipe}
    ((_, variant),) = make_variants(data, [Recipe(**values)], watermarks={"mark": mark})
    return variant


def shown(variant: Variant) -> list[Any]:
    """Return copies of a variant's frames."""
    header = read_header(variant.data)
    assert (header.width, header.height) == (variant.width, variant.height)
    film = film_of(variant.data, header)
    return [(frame.image.convert("RGBA"), frame.duration) for frame in film.frames()]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", MOVING)
def test_frames_sizes_durations_and_times(source: str, kind: Format) -> None:
    variant = made(SOURCES[source], format=kind)
    with Image.open(io.BytesIO(variant.data)) as opened:
        assert (opened.format, opened.size) == (kind.name, (30, 20))
    pictures = shown(variant)
    lasting = [100, 1, 30, 70] if "AVIF" in (source, kind.name) else [100, 0, 30, 70]
    if kind is Format.GIF:
        lasting[1] = 0
    assert [duration for _, duration in pictures] == lasting
    for number, (picture, _) in enumerate(pictures):
        assert picture.getpixel((number * 4 + 3, 8)) == pytest.approx((255, 0, 0, 255), abs=60)
        assert picture.getpixel((28, 2))[3] < 30
    plays = 0 if "AVIF" in (source, kind.name) else 3
    assert film_of(variant.data, read_header(variant.data)).plays == plays


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", [*MOVING, Format.JPEG])
def test_or_the_first_frame_only(source: str, kind: Format) -> None:
    variant = made(SOURCES[source], format=kind, animation=Animation.FIRST_FRAME)
    with Image.open(io.BytesIO(variant.data)) as opened:
        assert (opened.format, opened.size) == (kind.name, (30, 20))
        assert getattr(opened, "n_frames", 1) == 1
        assert opened.convert("RGB").getpixel((3, 8)) == pytest.approx((255, 0, 0), abs=60)


@pytest.mark.parametrize("source", SOURCES)
def test_what_cannot_move_has_the_first_frame(source: str) -> None:
    variant = made(SOURCES[source], format=Format.JPEG, background="#00ff00")
    with Image.open(io.BytesIO(variant.data)) as opened:
        assert opened.getpixel((28, 2)) == pytest.approx((0, 255, 0), abs=20)


@pytest.mark.parametrize("source", SOURCES)
def test_the_original_format_moves_on(source: str) -> None:
    variant = made(SOURCES[source], format=Format.ORIGINAL)
    assert read_header(variant.data).format == source
    assert read_header(variant.data).frames == 4


@pytest.mark.parametrize("kind", MOVING)
def test_every_frame_goes_through_all_that_is_asked_for(kind: Format) -> None:
    variant = made(
        SOURCES["GIF"],
        format=kind,
        height=30,
        fit=Fit.PAD,
        background="#000000",
        grayscale=True,
        sharpen=50,
        watermark=Watermark("mark", position=Position.TOP_LEFT, width=10, opacity=100),
    )
    pictures = shown(variant)
    assert len(pictures) == 4
    for picture, _ in pictures:
        assert picture.size == (30, 30)
        assert picture.getpixel((29, 29)) == pytest.approx((0, 0, 0, 255), abs=9)
        assert picture.getpixel((2, 2)) == pytest.approx((150, 150, 150, 255), abs=15)


@pytest.mark.parametrize("kind", [Format.PNG, Format.WEBP, Format.AVIF])
def test_whose_it_is_goes_along(kind: Format) -> None:
    pictures = [corpus.photograph(), corpus.in_quarters()]
    data = corpus.encoded(
        pictures[0], "WEBP", save_all=True, append_images=pictures[1:], exif=corpus.exif()
    )
    tags = {ExifTags.Base.Artist, ExifTags.Base.Copyright}
    for what, expected in ((Metadata.STRIP, set()), (Metadata.COPYRIGHT, tags)):
        variant = made(data, format=kind, metadata=what)
        with Image.open(io.BytesIO(variant.data)) as opened:
            assert opened.n_frames == 2  # type: ignore[attr-defined]
            assert set(opened.getexif()) == expected


def test_several_variants_of_one_film() -> None:
    recipes = [
        Recipe(code=f"{kind}-{width}", version=1, format=kind, width=width, animation=animation)
        for kind in [*MOVING, Format.JPEG]
        for width in (10, 20)
        for animation in Animation
    ]
    all_of_them = dict(make_variants(SOURCES["WEBP"], recipes))
    assert set(all_of_them) == set(recipes)
    for recipe, variant in all_of_them.items():
        moving = recipe.animation is Animation.KEEP and recipe.format is not Format.JPEG
        assert read_header(variant.data).frames == (4 if moving else 1)


def test_what_a_first_frame_of_a_gif_leaves_out_is_transparent() -> None:
    data = by_hand.gif_of((4, 2), Part((0, 0, 2, 2), RED), Part((2, 0, 4, 2), BLUE))
    variant = made(data, format=Format.PNG, animation=Animation.FIRST_FRAME)
    with Image.open(io.BytesIO(variant.data)) as opened:
        assert [opened.getchannel("A").getpixel((x, 1)) for x in (0, 3)] == [255, 0]


@pytest.mark.parametrize("kind", [*MOVING, Format.JPEG])
def test_a_film_that_breaks_off_is_damaged(kind: Format) -> None:
    for source, data in SOURCES.items():
        if kind is Format.JPEG and source in {"PNG", "WEBP"}:
            continue  # its first frame is whole
        with pytest.raises(FileRefused) as refused:
            made(data[: len(data) * 2 // 3], format=kind)
        assert refused.value.code == "damaged"


def test_time_is_looked_at_between_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking = partial(limits.Deadline, clock=partial(next, itertools.count()))
    monkeypatch.setattr(fan_out, "Deadline", ticking)
    recipe = Recipe(code="t", version=1, format=Format.GIF, width=30)
    assert list(make_variants(SOURCES["GIF"], [recipe], seconds=10))
    with pytest.raises(FileRefused) as refused:
        list(make_variants(SOURCES["GIF"], [recipe], seconds=2))
    assert refused.value.code == "too_slow"


def test_a_film_takes_more_work_than_a_picture() -> None:
    recipes = [Recipe(code=f"t{n}", version=1, format=Format.WEBP, width=640) for n in range(4)]
    header = read_header(by_hand.gif(400, (1_000, 1_000)))
    assert len(plan_units(header, recipes)) == 4


def test_the_adapter_of_pictures_knows_frames_and_keeps_them() -> None:
    kind, data = by_code("image"), SOURCES["GIF"]
    header = kind.inspect(data)
    assert header.frames == 4
    recipes = kind.applicable(header, [Recipe(code="t", version=1, format=Format.WEBP, width=30)])
    (unit,) = kind.plan(header, recipes)
    ((_, variant),) = kind.convert(data, unit, watermarks={}, seconds=60)
    assert read_header(variant.data).frames == 4
