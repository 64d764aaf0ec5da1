"""The first page of a PDF becomes pictures; what cannot is refused, and kills nobody."""

import io
import subprocess
import sys
from contextlib import suppress
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conversions.filetypes import Header, PageRecipe, by_code, identify, pdf, recipe_of
from conversions.imaging import FileRefused
from tests.conversions.filetypes.documents import bomb, document, of_objects, stream

KIND = by_code("pdf")
A4 = document()


def recipe(**values: Any) -> PageRecipe:
    preset = {"applies_to": "pdf", "code": "page", "version": 1, "format": "png", **values}
    made = recipe_of(preset)
    assert isinstance(made, PageRecipe)
    return made


def converted(data: bytes, *recipes: PageRecipe, seconds: float = 60) -> list[Image.Image]:
    """Convert as a function does; check each size, and return the pictures."""
    pictures: list[Image.Image] = []
    header = KIND.inspect(data)
    for unit in KIND.plan(header, KIND.applicable(header, recipes)):
        for _, made in KIND.convert(data, unit, watermarks={}, seconds=seconds):
            picture = Image.open(io.BytesIO(made.data))
            assert picture.size == (made.width, made.height)
            pictures.append(picture)
    return pictures


def refused(data: bytes, code: str, **options: Any) -> str:
    with pytest.raises(FileRefused) as refusal:
        converted(data, recipe(width=100), **options)
    assert refusal.value.code == code
    return str(refusal.value)


class TestDrawing:
    def test_a_page_is_drawn_at_the_size_that_the_recipe_says(self) -> None:
        (picture,) = converted(A4, recipe(width=1280, format="jpeg"))
        assert (picture.format, picture.size) == ("JPEG", (1280, 1810))
        red, green, _ = picture.convert("RGB").getpixel((320, 900))  # type: ignore[misc]
        assert red > 240
        assert green < 20
        assert picture.convert("L").getpixel((960, 900)) > 250  # type: ignore[operator]

    def test_several_variants_are_made_of_one_drawing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn = Mock(wraps=pdf._drawn)
        monkeypatch.setattr(pdf, "_drawn", drawn)
        cover = recipe(width=300, height=300, fit="cover")
        made = converted(A4, recipe(height=400), cover, recipe(width=100, height=600))
        assert {picture.size for picture in made} == {(283, 400), (300, 300), (100, 141)}
        assert [call.args[1] for call in drawn.mock_calls] == [(300, 424)]

    def test_a_recipe_without_sides_draws_150_pixels_an_inch(self) -> None:
        (picture,) = converted(document(size=(50.8, 25.4)), recipe())
        assert picture.size == (300, 150)

    def test_a_page_is_never_drawn_larger_than_the_limits(self) -> None:
        (tall,) = converted(document(size=(20, 2000)), recipe(width=4096))
        assert tall.height <= pdf.MOST_SIDE
        (square,) = converted(document(size=(100, 100)), recipe(width=9000, format="jpeg"))
        assert square.width * square.height == pytest.approx(pdf.MOST_PIXELS, rel=0.001)

    def test_a_turned_page_is_drawn_as_it_is_shown(self) -> None:
        page = (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 300]/Rotate 90/Contents 4 0 R"
            b"/Resources<<>>>>"
        )
        data = of_objects(
            b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page,
            stream(b"0 200 100 100 re f"),
        )  # fmt: skip
        (picture,) = converted(data, recipe(width=300))
        assert picture.size == (300, 100)  # the top of the page, black, is on the right now
        grey = picture.convert("L")
        assert [grey.getpixel((x, 50)) for x in (50, 150, 250)] == [255, 255, 0]

    def test_a_document_without_a_password_for_reading_is_drawn(self) -> None:
        (picture,) = converted(document(owner_password="owner"), recipe(width=100))
        assert picture.size == (100, 141)


class TestInspecting:
    def test_the_header_has_points_and_pages(self) -> None:
        assert KIND.inspect(document(pages=3)) == Header("PDF", 595, 842, frames=3)

    def test_bytes_before_the_document_are_passed_over(self) -> None:
        data = b"\xef\xbb\xbf\r\n" + A4
        assert identify(data) is KIND
        assert KIND.inspect(data).format == "PDF"

    def test_recipes_for_pictures_are_left_out(self) -> None:
        web = recipe_of({"code": "web", "version": 1, "format": "jpeg", "width": 10})
        page = recipe(format="original", width=10)
        assert [each.name for each in KIND.applicable(Header("PDF"), [web, page])] == [
            "page-v1.png"
        ]
        assert by_code("image").applicable(Header("PNG"), [web, page]) == [web]
        assert KIND.plan(Header("PDF"), []) == []

    def test_a_recipe_survives_a_message(self) -> None:
        page = recipe(width=10)
        assert recipe_of(page.to_mapping()) == page


class TestRefusals:
    def test_a_locked_document(self) -> None:
        text = refused(document(owner_password="o", user_password="u"), "locked")
        assert "locked with a password" in text

    @pytest.mark.parametrize("data", [b"%PDF-1.7\n", A4[: len(A4) // 2], A4[:20] + b"junk" * 99])
    def test_a_broken_document(self, data: bytes) -> None:
        assert "damaged" in refused(data, "damaged")

    def test_a_document_without_pages(self) -> None:
        data = of_objects(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>")
        assert "no pages" in refused(data, "damaged")

    def test_a_page_that_is_too_large(self) -> None:
        data = of_objects(
            b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 20000 100]>>",
        )  # fmt: skip
        refused(data, "page_too_large")

    def test_too_many_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf, "MOST_PAGES", 2)
        assert "3 pages; 2 are allowed" in refused(document(pages=3), "too_many_pages")

    def test_too_many_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf, "MOST_BYTES", 100)
        refused(A4, "too_many_bytes")

    def test_a_page_that_takes_all_memory(self) -> None:
        data = bomb(9, 20)
        assert len(data) < 5000
        assert KIND.inspect(data).width == 300
        refused(data, "too_complex")

    def test_a_page_that_takes_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refused(bomb(9, 20), "too_slow", seconds=0.1)
        monkeypatch.setattr(pdf, "DRAW_SECONDS", 1)
        refused(bomb(9, 20), "too_slow")

    def test_a_program_that_cannot_run_is_no_refusal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf, "PROGRAM", pdf.PROGRAM.with_name("none.py"))
        with pytest.raises(RuntimeError, match=r"none\.py ended with 2"):
            KIND.inspect(A4)


def test_the_program_is_given_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    run = Mock(wraps=subprocess.run)
    monkeypatch.setattr(subprocess, "run", run)
    KIND.inspect(A4)
    assert run.call_args.kwargs["env"].keys() <= {"PYTHONPATH", "LD_LIBRARY_PATH"}


def test_pdfium_is_never_loaded_into_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded() -> list[str]:
        return [name for name in sys.modules if name.startswith("pypdfium2")]

    for name in loaded():  # by tests that read invoices with it
        monkeypatch.delitem(sys.modules, name)
    converted(A4, recipe(width=10))
    assert not loaded()


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_changed_bytes_give_a_picture_or_a_refusal(data: st.DataObject) -> None:
    changed = bytearray(A4)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(9, len(A4) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FileRefused):
        assert len(converted(bytes(changed), recipe(width=50))) == 1
