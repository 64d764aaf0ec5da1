"""One source, many variants, at once: as they would be one by one, and as good as by Lanczos."""

import io
import os
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

from conversions.imaging import FileRefused, Fit, Format, Recipe, fan_out, make_variants, work
from conversions.imaging.encode import encode
from conversions.imaging.geometry import geometry
from conversions.imaging.pyramid import SAFE_SHRINKAGE, Level, pyramid, strips
from tests.conversions.corpus import encoded, photograph

PICTURE = photograph((1_600, 1_200))
JPEG = encoded(PICTURE, "JPEG", quality=95, subsampling=0)
# Odd sides: at an eighth of them, the last pixel is hardly there, and must not move the others.
SMOOTH = PICTURE.resize((400, 300)).resize((1_597, 1_193), Image.Resampling.BICUBIC)
SOFT = encoded(PICTURE.resize((40, 30)).resize((1_600, 1_200)), "JPEG", quality=80)
ENCODED = [kind for kind in Format if kind is not Format.ORIGINAL]


def recipe(code: str = "t", **values: Any) -> Recipe:
    given_: dict[str, Any] = {"format": Format.PNG, **values}
    return Recipe(code, 1, **given_)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def difference(one: Image.Image, other: Image.Image) -> float:
    """How far apart two pictures are: of 255, in the mean of squares."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).rms)


class TestVariants:
    def test_each_is_what_its_recipe_says(self) -> None:
        recipes = [
            recipe(f"{kind}-{width}", format=kind, width=width)
            for kind in ENCODED
            for width in (40, 200, 600)
        ]
        made = dict(make_variants(JPEG, recipes))
        assert set(made) == set(recipes)
        for each, variant in made.items():
            picture = opened(variant.data)
            assert picture.format == each.format.name
            assert (variant.width, variant.height) == picture.size
            assert picture.size == (each.width, (each.width or 0) * 3 // 4)

    def test_qualities_are_never_swapped(self) -> None:
        """Pillow keeps an encoder's settings on the image: one that is shared mixes them up."""
        recipes = [
            recipe(f"{kind}-{quality}", format=kind, width=120, quality=quality)
            for kind in (Format.JPEG, Format.WEBP, Format.AVIF)
            for quality in range(10, 100, 10)
        ]
        source = encoded(PICTURE.resize((240, 180)), "PNG")
        plain = opened(source).resize((120, 90), Image.Resampling.LANCZOS)
        expected = {each: encode(plain.copy(), each) for each in recipes}
        with ThreadPoolExecutor(4) as callers:
            for made in callers.map(lambda _: dict(make_variants(source, recipes)), range(4)):
                assert {each: variant.data for each, variant in made.items()} == expected

    def test_the_same_recipe_twice_is_made_twice(self) -> None:
        assert len(list(make_variants(JPEG, [recipe(width=40), recipe(width=40)]))) == 2

    def test_nothing_is_asked(self) -> None:
        assert list(make_variants(JPEG, [])) == []


class TestQuality:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("largest", [1_000, 700, 500, 330, 140])  # 8, 4, 3, 2 and 1 eighths
    def test_a_draft_and_a_pyramid_look_like_lanczos(self, largest: int, orientation: int) -> None:
        recipes = [recipe(f"w{width}", width=width) for width in (largest, largest // 2, 40)]
        exif = Image.Exif()
        exif[0x0112] = orientation
        source = encoded(SMOOTH, "JPEG", quality=95, subsampling=0, exif=exif)
        turned = SMOOTH.copy()
        turned.getexif()[0x0112] = orientation
        upright = ImageOps.exif_transpose(turned)
        for _, variant in make_variants(source, recipes):
            made = opened(variant.data)
            direct = upright.resize(made.size, Image.Resampling.LANCZOS)
            assert difference(made, direct) < 3

    def test_a_soft_photograph_looks_the_same_by_a_shorter_kernel(self) -> None:
        ((_, variant),) = make_variants(SOFT, [recipe(width=760)])
        direct = opened(SOFT).resize((760, 570), Image.Resampling.LANCZOS)
        assert difference(opened(variant.data), direct) < 2

    def test_what_is_transparent_leaves_no_fringe(self) -> None:
        image = Image.new("RGBA", (1_600, 1_600), (0, 255, 0, 0))
        image.paste((255, 0, 0, 255), (333, 333, 1_267, 1_267))
        recipes = [recipe(f"w{width}", width=width) for width in (700, 300, 100)]
        for _, variant in make_variants(encoded(image, "PNG"), recipes):
            seen = opened(variant.data).getchannel("G"), opened(variant.data).getchannel("A")
            assert ImageChops.darker(*seen).point(lambda value: value > 1).getbbox() is None


class TestPyramid:
    @given(
        source=st.tuples(st.integers(1, 5_000), st.integers(1, 5_000)),
        boxes=st.lists(st.tuples(st.integers(1, 3_000), st.integers(1, 3_000)), max_size=12),
        fits=st.lists(st.sampled_from(Fit), min_size=12, max_size=12),
    )
    def test_every_variant_is_in_it_once_and_made_of_what_is_large_enough(
        self, source: tuple[int, int], boxes: list[tuple[int, int]], fits: list[Fit]
    ) -> None:
        variants = [
            (each, geometry(source, each))
            for each in (
                recipe(f"v{number}", width=box[0], height=box[1], fit=fits[number])
                for number, box in enumerate(boxes)
            )
        ]
        found: list[str] = []

        def visit(level: Level) -> None:
            found.extend(each.code for each, _ in level.variants)
            for child in level.children:
                assert [*level.box] == [0, 0, *source]
                wide = (child.box[2] - child.box[0]) * level.size[0] / source[0]
                high = (child.box[3] - child.box[1]) * level.size[1] / source[1]
                assert wide >= child.size[0] * SAFE_SHRINKAGE
                assert high >= child.size[1] * SAFE_SHRINKAGE
                visit(child)

        for level in pyramid(source, variants):
            visit(level)
        assert sorted(found) == sorted(each.code for each, _ in variants)

    @settings(max_examples=20, deadline=None)
    @given(size=st.tuples(st.integers(1, 1_500), st.integers(1, 1_200)))
    def test_strips_make_the_picture_that_one_resizing_makes(self, size: tuple[int, int]) -> None:
        box = (10.5, 20.25, 1_580.0, 1_190.75)
        # Not so rough that Lanczos overshoots: Pillow chooses which side comes first, and clips.
        smooth = PICTURE.filter(ImageFilter.GaussianBlur(2))
        whole = smooth.resize(size, Image.Resampling.LANCZOS, box=box)
        made = Image.new("RGB", size)
        for strip in strips(box, size):
            part = smooth.resize(strip.size, Image.Resampling.LANCZOS, box=strip.box)
            made.paste(part, (0, strip.first_row))
        assert not ImageChops.difference(whole, made).point(lambda value: value > 2).getbbox()


class TestEnds:
    def test_closed_early_no_work_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        running: set[int] = set()
        begun: list[str] = []

        def watched(image: Image.Image, each: Recipe, **options: Any) -> bytes:
            running.add(threading.get_ident())
            begun.append(each.code)
            try:
                return encode(image, each, **options)
            finally:
                running.discard(threading.get_ident())

        monkeypatch.setattr(fan_out, "encode", watched)
        recipes = [
            recipe(f"v{width}", width=width, format=Format.WEBP) for width in range(400, 440)
        ]
        with closing(cast("Generator[object]", make_variants(JPEG, recipes))) as variants:
            next(variants)
        assert not running
        assert len(begun) < len(recipes)
        before = list(begun)
        list(make_variants(encoded(PICTURE, "PNG"), [recipe("last", width=10)]))
        assert begun == [*before, "last"]

    def test_what_fails_is_raised_and_ends_the_rest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_arguments: Any, **_options: Any) -> bytes:
            raise MemoryError

        monkeypatch.setattr(fan_out, "encode", broken)
        with pytest.raises(MemoryError):
            list(make_variants(JPEG, [recipe(f"v{width}", width=width) for width in (40, 50, 60)]))

    def test_what_cannot_be_begun_ends_what_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begun: list[str] = []
        trees = iter([pyramid])

        def watched(image: Image.Image, each: Recipe, **options: Any) -> bytes:
            begun.append(each.code)
            return encode(image, each, **options)

        def once(*arguments: Any) -> list[Level]:
            for tree in trees:
                return tree(*arguments)
            raise MemoryError

        monkeypatch.setattr(fan_out, "encode", watched)
        monkeypatch.setattr(fan_out, "pyramid", once)
        recipes = [
            recipe(f"v{width}", width=width, format=Format.WEBP, srgb=width % 2 == 0)
            for width in range(400, 440)
        ]
        with pytest.raises(MemoryError):
            next(make_variants(JPEG, recipes))
        monkeypatch.setattr(fan_out, "pyramid", pyramid)
        before = list(begun)
        assert len(before) < 20
        list(make_variants(encoded(PICTURE, "PNG"), [recipe("last", width=10)]))
        assert begun == [*before, "last"]

    def test_refused_before_anything_is_made(self) -> None:
        with pytest.raises(FileRefused):
            next(make_variants(JPEG[:-1_000], [recipe(width=40)]))


@pytest.mark.parametrize(("megabytes", "count"), [("128", 1), ("1769", 1), ("3538", 2)])
def test_lambda_sells_processors_by_the_memory(
    monkeypatch: pytest.MonkeyPatch, megabytes: str, count: int
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", megabytes)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert work.processors() == count
