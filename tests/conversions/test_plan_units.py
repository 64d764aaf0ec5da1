"""Which variants are made together."""

from itertools import chain
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from conversions.imaging import Animation, Effort, Format, Header, Recipe, plan_units

PHOTOGRAPH = Header("JPEG", 6_000, 4_000)
recipes = st.lists(
    st.builds(
        Recipe,
        code=st.text("abc", min_size=1, max_size=3),
        version=st.integers(1, 3),
        format=st.sampled_from(Format),
        width=st.none() | st.integers(1, 8_000),
        effort=st.sampled_from(Effort),
    ),
    max_size=40,
    unique_by=lambda recipe: recipe.name,
)
headers = st.builds(
    Header,
    format=st.sampled_from(["JPEG", "PNG", "GIF", "TIFF"]),
    width=st.integers(1, 8_000),
    height=st.integers(1, 8_000),
    frames=st.sampled_from([1, 1, 20]),
)


def avif(width: int) -> Recipe:
    return Recipe(f"a{width}", 1, Format.AVIF, width=width, effort=Effort.SMALLER)


@given(header=headers, recipes=recipes)
def test_every_recipe_is_in_one_unit_and_no_unit_is_empty(
    header: Header, recipes: list[Recipe]
) -> None:
    units = plan_units(header, recipes)
    assert sorted(each.name for each in chain(*units)) == sorted(each.name for each in recipes)
    assert all(units)


@given(header=headers, recipes=recipes, random=st.randoms())
def test_the_same_recipes_give_the_same_units(
    header: Header, recipes: list[Recipe], random: Random
) -> None:
    shuffled = random.sample(recipes, len(recipes))
    assert plan_units(header, shuffled) == plan_units(header, recipes)


def test_a_small_fan_out_is_one_unit() -> None:
    small = [Recipe(f"j{width}", 1, Format.JPEG, width=width) for width in (320, 640, 1280)]
    assert len(plan_units(PHOTOGRAPH, small)) == 1


def test_expensive_encoders_are_spread() -> None:
    cheap = [Recipe(f"j{width}", 1, Format.JPEG, width=width) for width in range(100, 110)]
    units = plan_units(PHOTOGRAPH, [*cheap, *(avif(width) for width in (2_000, 2_001, 2_002))])
    assert len(units) > 1
    expensive = [sum(each.format is Format.AVIF for each in unit) for unit in units]
    assert max(expensive) - min(expensive) <= 1


def test_no_more_units_than_recipes() -> None:
    assert plan_units(PHOTOGRAPH, [avif(6_000)]) == [[avif(6_000)]]


def test_what_moves_costs_by_its_frames() -> None:
    film = Header("GIF", 800, 600, frames=200)
    moving = [Recipe(f"w{width}", 1, Format.WEBP, width=width) for width in (400, 500, 600, 700)]
    still = [
        Recipe(each.code, 1, Format.WEBP, width=each.width, animation=Animation.FIRST_FRAME)
        for each in moving
    ]
    assert len(plan_units(film, moving)) > len(plan_units(film, still)) == 1
