"""What is done to a variant beside resizing it."""

from typing import Any

import pytest
from PIL import Image

from conversions.imaging import Format, Position, Recipe, Watermark
from conversions.imaging.operations import OPERATIONS, operations_of
from tests.conversions import corpus

SIZE = (200, 100)
KEY = "0f" * 32
MARK = corpus.encoded(Image.new("RGBA", (40, 20), (0, 0, 255, 255)), "PNG")


def changed(image: Image.Image, mark: bytes = MARK, **recipe: Any) -> Image.Image:
    values = {"code": "t", "version": 1, "format": Format.PNG, **recipe}
    before = image.tobytes()
    made = image
    for operation in operations_of(Recipe(**values), {KEY: mark}):
        made = operation.apply(made)
    assert image.tobytes() == before
    return made


def test_nothing_is_done_that_is_not_asked_for() -> None:
    image = corpus.sticker()
    assert changed(image) is image


class TestFlatten:
    def test_a_jpeg_shows_the_background_through(self) -> None:
        image = Image.new("RGBA", SIZE, (255, 0, 0, 128))
        made = changed(image, format=Format.JPEG, background="#0000ff")
        assert made.mode == "RGB"
        assert made.getpixel((0, 0)) == (128, 0, 127)

    @pytest.mark.parametrize("kind", [Format.PNG, Format.WEBP, Format.AVIF, Format.GIF])
    def test_other_formats_keep_alpha(self, kind: Format) -> None:
        assert changed(corpus.sticker(), format=kind).mode == "RGBA"

    def test_no_fringes_of_what_nobody_sees(self) -> None:
        """The sticker is red on an unseen green: resized and flattened, no pixel is greenish."""
        small = corpus.sticker().resize((24, 16), Image.Resampling.LANCZOS)
        made = changed(small, format=Format.JPEG, background="#ff0000")
        assert made.getextrema() == ((255, 255), (0, 0), (0, 0))


class TestGrayscale:
    def test_a_picture_is_gray(self) -> None:
        made = changed(corpus.photograph(), grayscale=True)
        assert made.tobytes() == corpus.photograph().convert("L").tobytes()

    def test_alpha_stays(self) -> None:
        made = changed(corpus.sticker(), grayscale=True)
        assert made.mode == "LA"
        assert made.getchannel("A").tobytes() == corpus.sticker().getchannel("A").tobytes()

    def test_a_profile_of_rgb_does_not(self) -> None:
        image = Image.new("RGB", SIZE)
        image.info["icc_profile"] = b"of RGB"
        assert "icc_profile" not in changed(image, grayscale=True).info


class TestSharpen:
    def test_an_edge_has_more_contrast_and_a_plain_has_not(self) -> None:
        image = Image.new("RGB", SIZE, (100, 100, 100))
        image.paste((150, 150, 150), (100, 0, 200, 100))
        made = changed(image, sharpen=100)
        assert made.getpixel((99, 50))[0] < 100  # type: ignore[index]
        assert made.getpixel((100, 50))[0] > 150  # type: ignore[index]
        assert made.getpixel((20, 50)) == (100, 100, 100)

    def test_more_is_more(self) -> None:
        image = Image.new("RGB", SIZE, (100, 100, 100))
        image.paste((150, 150, 150), (100, 0, 200, 100))
        darkest = [changed(image, sharpen=percent).getextrema()[0] for percent in (0, 50, 150)]
        assert darkest == sorted(darkest, reverse=True)
        assert len(set(darkest)) == 3

    def test_what_is_unseen_stays_unseen_and_colours_nothing(self) -> None:
        made = changed(corpus.sticker(), sharpen=200)
        assert made.getchannel("A").tobytes() == corpus.sticker().getchannel("A").tobytes()
        flat = changed(made, format=Format.JPEG, background="#ff0000")
        assert flat.getextrema() == ((255, 255), (0, 0), (0, 0))


class TestWatermark:
    @pytest.mark.parametrize(
        ("position", "box"),
        [
            (Position.TOP_LEFT, (2, 2, 42, 22)),
            (Position.TOP_RIGHT, (158, 2, 198, 22)),
            (Position.CENTRE, (80, 40, 120, 60)),
            (Position.BOTTOM_LEFT, (2, 78, 42, 98)),
            (Position.BOTTOM_RIGHT, (158, 78, 198, 98)),
        ],
    )
    @pytest.mark.parametrize("mode", ["RGB", "RGBA"])
    def test_it_stands_where_it_is_asked_to(
        self, mode: str, position: Position, box: tuple[int, int, int, int]
    ) -> None:
        watermark = Watermark(KEY, position=position, width=20, opacity=100)
        made = changed(Image.new(mode, SIZE), watermark=watermark)
        assert made.getchannel("B").getbbox() == box
        assert made.mode == mode

    @pytest.mark.parametrize(("opacity", "blue"), [(100, 255), (50, 128), (1, 3)])
    def test_it_is_as_opaque_as_it_is_asked_to_be(self, opacity: int, blue: int) -> None:
        watermark = Watermark(KEY, position=Position.CENTRE, opacity=opacity)
        made = changed(Image.new("RGB", SIZE), watermark=watermark)
        assert made.getpixel((100, 50)) == (0, 0, blue)

    def test_its_own_alpha_counts(self) -> None:
        mark = corpus.encoded(Image.new("RGBA", (40, 20), (0, 0, 255, 128)), "PNG")
        watermark = Watermark(KEY, position=Position.CENTRE, opacity=50)
        made = changed(Image.new("RGB", SIZE), mark, watermark=watermark)
        assert made.getpixel((100, 50)) == (0, 0, 64)

    def test_on_what_is_transparent_it_is_seen_as_it_is(self) -> None:
        watermark = Watermark(KEY, position=Position.CENTRE, opacity=50)
        made = changed(Image.new("RGBA", SIZE, (255, 0, 0, 0)), watermark=watermark)
        assert made.getpixel((100, 50)) == (0, 0, 255, 128)

    @pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (40, 20)])
    @pytest.mark.parametrize("position", Position)
    def test_it_is_never_larger_than_the_variant(
        self, size: tuple[int, int], position: Position
    ) -> None:
        watermark = Watermark(KEY, position=position, width=100, opacity=100)
        made = changed(Image.new("RGB", size), watermark=watermark)
        assert made.size == size
        assert made.getchannel("B").getbbox()

    def test_it_turns_gray_with_the_variant(self) -> None:
        watermark = Watermark(KEY, opacity=100)
        assert changed(Image.new("RGB", SIZE), grayscale=True, watermark=watermark).mode == "L"

    def test_one_that_is_missing_is_our_own_fault_and_may_come(self) -> None:
        with pytest.raises(KeyError):
            operations_of(
                Recipe(code="t", version=1, format=Format.PNG, watermark=Watermark("gone")), {}
            )

    @pytest.mark.parametrize("mark", [b"", b"junk", MARK[:60]])
    def test_one_that_is_broken_is_no_fault_of_the_picture(self, mark: bytes) -> None:
        with pytest.raises(ValueError, match="cannot be read"):
            changed(Image.new("RGB", SIZE), mark, watermark=Watermark(KEY))


def test_each_kind_is_listed_once_and_does_nothing_unasked() -> None:
    plain = Recipe(code="t", version=1, format=Format.PNG)
    assert len(set(OPERATIONS)) == len(OPERATIONS) == 4
    assert [each.of(plain, {}) for each in OPERATIONS] == [None] * 4
