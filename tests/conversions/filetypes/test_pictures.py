"""Which files are pictures, and that the adapter does with them what imaging does."""

import io
from decimal import Decimal

import pytest
from PIL import Image

from conversions.filetypes import Header, by_code, identify, recipe_of
from conversions.imaging import FileRefused, Format, Recipe
from conversions.imaging.header import FORMATS

WEB = {"code": "web", "version": Decimal(2), "format": "jpeg", "width": Decimal(40)}


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60)).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_that_imaging_decodes_is_recognised(kind: str) -> None:
    data = picture(kind)
    assert identify(data).code == "image"
    assert identify(data).inspect(data) == Header(kind, 80, 60)


@pytest.mark.parametrize("data", [b"\0\1\2\3", b"\x7fELF\2\1\1\0", b"PK\3\4\x14\0\0\0", b"BM\0\0"])
def test_what_is_no_kind_of_file_that_is_converted_is_refused(data: bytes) -> None:
    with pytest.raises(FileRefused, match="not a file of a kind") as refusal:
        identify(data)
    assert refusal.value.code == "not_supported"


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(FileRefused, match="empty"):
        identify(b"")


def test_a_preset_without_a_kind_is_for_pictures() -> None:
    assert recipe_of(WEB) == recipe_of({**WEB, "applies_to": "image"})
    assert isinstance(recipe_of(WEB), Recipe)


def test_a_preset_for_a_kind_that_is_not_known_is_an_error() -> None:
    with pytest.raises(KeyError):
        recipe_of({**WEB, "applies_to": "film"})


def test_a_header_survives_a_message() -> None:
    header = Header("GIF", 80, 60, frames=3)
    assert Header.from_mapping(header.to_mapping()) == header
    of_dynamo_db = {"format": "GIF", "width": Decimal(80), "height": Decimal(60), "key": "…"}
    assert Header.from_mapping({**of_dynamo_db, "frames": Decimal(3)}) == header


def test_pictures_become_what_the_recipes_say() -> None:
    data, kind = picture("GIF"), by_code("image")
    header = kind.inspect(data)
    original = {"code": "same", "version": 1, "format": "original", "width": 20}
    recipes = kind.applicable(header, [recipe_of(WEB), recipe_of(original)])
    assert [each.name for each in recipes] == ["web-v2.jpg", "same-v1.gif"]
    (unit,) = kind.plan(header, recipes)
    made = dict(kind.convert(data, unit, watermarks={}, seconds=60))
    assert {each.format for each in made} == {Format.JPEG, Format.GIF}
    for recipe, variant in made.items():
        opened = Image.open(io.BytesIO(variant.data))
        assert opened.format == recipe.format.name
        assert (
            opened.size == (variant.width, variant.height) == (recipe.width, recipe.width * 3 / 4)
        )


def test_what_takes_long_is_divided_into_units() -> None:
    kind, header = by_code("image"), Header("JPEG", 6000, 4000)
    wanted = [{**WEB, "code": f"c{n}", "format": "avif", "width": 4000} for n in range(8)]
    units = kind.plan(header, kind.applicable(header, [recipe_of(each) for each in wanted]))
    assert len(units) > 1
    assert sorted(each.code for unit in units for each in unit) == [f"c{n}" for n in range(8)]


def test_a_damaged_picture_is_refused_when_it_is_converted() -> None:
    data, kind = picture("PNG")[:-30], by_code("image")
    unit = kind.applicable(kind.inspect(data), [recipe_of(WEB)])
    with pytest.raises(FileRefused, match="damaged"):
        list(kind.convert(data, unit, watermarks={}, seconds=60))


def test_nothing_to_make_is_no_work() -> None:
    assert by_code("image").plan(Header("PNG", 80, 60), []) == []


def test_time_that_is_over_is_a_refusal() -> None:
    data, kind = picture("PNG"), by_code("image")
    with pytest.raises(FileRefused) as refusal:
        list(kind.convert(data, [recipe_of(WEB)], watermarks={}, seconds=0))
    assert refusal.value.code == "too_slow"
