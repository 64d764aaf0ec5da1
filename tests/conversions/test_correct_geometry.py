"""Nothing is ever enlarged by accident; and what is, is not enlarged beyond measure."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from conversions.imaging import Fit, Format, Recipe, make_variants
from conversions.imaging.geometry import geometry
from tests.conversions import corpus

sides = st.integers(1, 30_000)
boxes = st.none() | st.integers(1, 4_096)


def recipe(**values: object) -> Recipe:
    return Recipe(code="t", version=1, format=Format.PNG, **values)  # type: ignore[arg-type]


@given(source=st.tuples(sides, sides), width=boxes, height=boxes, fit=st.sampled_from(Fit))
def test_without_being_asked_no_pixel_is_invented(
    source: tuple[int, int], width: int | None, height: int | None, fit: Fit
) -> None:
    part = geometry(source, recipe(width=width, height=height, fit=fit))
    left, top, right, bottom = part.box
    assert part.size[0] <= max(1, round(right - left))
    assert part.size[1] <= max(1, round(bottom - top))
    assert (0 <= left < right <= source[0], 0 <= top < bottom <= source[1]) == (True, True)


@given(source=st.tuples(sides, sides), width=boxes, height=boxes)
def test_a_strip_is_enlarged_only_so_far(
    source: tuple[int, int], width: int | None, height: int | None
) -> None:
    size = geometry(source, recipe(width=width, height=height, upscale=True)).size
    assert size[0] * size[1] <= max(source[0] * source[1], 17_000_000)


@pytest.mark.parametrize("upscale", [True, False])
def test_without_a_box_a_picture_keeps_its_size(upscale: bool) -> None:
    assert geometry((40, 30), recipe(upscale=upscale)).size == (40, 30)


def test_if_asked_it_is_enlarged() -> None:
    assert geometry((40, 30), recipe(width=400, upscale=True)).size == (400, 300)


@pytest.mark.parametrize("kind", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF])
def test_an_enlarged_strip_is_as_long_as_its_format_can_be(kind: Format) -> None:
    data = corpus.encoded(Image.new("RGB", (1, 30_000)), "PNG")
    asked = Recipe(code="t", version=1, format=kind, width=100, upscale=True)
    ((_, variant),) = make_variants(data, [asked])
    assert variant.height == kind.longest_side
    with Image.open(io.BytesIO(variant.data)) as opened:
        opened.load()
        assert opened.size == (variant.width, variant.height)
