"""Which part of a picture becomes a variant, and of which size."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversions.imaging import Fit, Format, Recipe
from conversions.imaging.geometry import geometry

Size = tuple[int, int]
sizes = st.tuples(st.integers(1, 8_000), st.integers(1, 8_000))
boxes = st.tuples(st.integers(1, 4_000), st.integers(1, 4_000))
exact = st.sampled_from([Fit.COVER, Fit.CROP, Fit.PAD])


def recipe(box: tuple[int | None, int | None], **values: Any) -> Recipe:
    given_ = {"format": Format.PNG, **values}
    return Recipe(code="t", version=1, width=box[0], height=box[1], **given_)


@given(box=boxes, larger=st.tuples(st.integers(0, 4_000), st.integers(0, 4_000)), fit=exact)
def test_a_picture_that_is_large_enough_fills_the_box_exactly(
    box: Size, larger: Size, fit: Fit
) -> None:
    source = (box[0] + larger[0], box[1] + larger[1])
    assert geometry(source, recipe(box, fit=fit)).final_size == box


@given(source=sizes, box=boxes, fit=st.sampled_from([Fit.COVER, Fit.CROP]))
def test_asked_to_enlarge_a_box_is_filled_whatever_the_picture(
    source: Size, box: Size, fit: Fit
) -> None:
    assert geometry(source, recipe(box, fit=fit, upscale=True)).size == box


@given(source=sizes, box=boxes, fit=st.sampled_from(Fit), upscale=st.booleans())
def test_a_picture_keeps_its_proportions(source: Size, box: Size, fit: Fit, upscale: bool) -> None:
    part = geometry(source, recipe(box, fit=fit, upscale=upscale))
    left, top, right, bottom = part.box
    wide, high = right - left, bottom - top
    # A side is whole pixels, and at least one: it may be off by half of one, or by nearly one.
    scales = [(part.size[0] - 0.5) / wide, (part.size[0] + 0.5) / wide]
    others = [(part.size[1] - 0.5) / high, (part.size[1] + 0.5) / high]
    assert 1 in part.size or (scales[0] <= others[1] * 1.01 and others[0] <= scales[1] * 1.01)


@given(source=sizes, box=boxes, focus=st.tuples(st.integers(0, 100), st.integers(0, 100)))
def test_the_focal_point_is_in_view(source: Size, box: Size, focus: Size) -> None:
    cropped = recipe(box, fit=Fit.CROP, focal_x=focus[0], focal_y=focus[1])
    left, top, right, bottom = geometry(source, cropped).box
    x, y = source[0] * focus[0] / 100, source[1] * focus[1] / 100
    assert left - 1e-6 <= x <= right + 1e-6
    assert top - 1e-6 <= y <= bottom + 1e-6


@pytest.mark.parametrize(
    ("focus", "box"), [(0, (0, 0, 100, 100)), (50, (100, 0, 200, 100)), (90, (200, 0, 300, 100))]
)
def test_the_focal_point_is_in_the_middle_or_as_near_as_it_can_be(
    focus: int, box: tuple[int, ...]
) -> None:
    cropped = recipe((50, 50), fit=Fit.CROP, focal_x=focus)
    assert geometry((300, 100), cropped).box == box


@given(source=sizes, box=boxes)
def test_padding_leaves_a_picture_inside(source: Size, box: Size) -> None:
    part = geometry(source, recipe(box, fit=Fit.PAD))
    assert part.canvas == box
    assert part.size == geometry(source, recipe(box)).size
    assert (part.size[0] <= box[0], part.size[1] <= box[1]) == (True, True)


@pytest.mark.parametrize(
    ("box", "size"),
    [((100, None), (100, 50)), ((None, 100), (200, 100)), ((100, 100), (100, 50))],
)
def test_the_other_side_follows(box: tuple[int | None, int | None], size: Size) -> None:
    assert geometry((400, 200), recipe(box)).size == size


@given(source=st.tuples(st.integers(1, 60_000), st.integers(1, 60_000)), box=boxes | st.none())
def test_nothing_is_longer_than_the_format_can_be(source: Size, box: Size | None) -> None:
    for fit in Fit:
        part = geometry(source, recipe(box or (None, None), fit=fit, format=Format.WEBP))
        assert max(part.final_size) <= 16_383
