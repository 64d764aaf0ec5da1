"""The cases of still pictures, from bytes to bytes."""

import io
from typing import Any

import pytest
from PIL import Image, ImageColor

from conversions.imaging import Fit, Format, Recipe, make_variants, read_header
from conversions.imaging.moving.film import Frame
from conversions.imaging.moving.read import film_of
from conversions.imaging.moving.webp_writer import write_webp
from tests.conversions import corpus
from tests.conversions.films import lossless_webp

# What stands in the corners of in_quarters(), held so: left and right on top, then below.
CORNERS = {
    1: "red green blue white",
    2: "green red white blue",
    3: "white blue green red",
    4: "blue white red green",
    5: "red blue green white",
    6: "blue red white green",
    7: "white green blue red",
    8: "green white red blue",
}


def made(data: bytes, **recipe: Any) -> Image.Image:
    values = {"code": "t", "version": 1, "format": Format.PNG, "width": 24, **recipe}
    ((_, variant),) = make_variants(data, [Recipe(**values)])
    with Image.open(io.BytesIO(variant.data)) as opened:
        opened.load()
        return opened


def corners(image: Image.Image) -> list[Any]:
    right, bottom = image.width - 3, image.height - 3
    rgb = image.convert("RGB")
    return [rgb.getpixel(place) for place in ((2, 2), (right, 2), (2, bottom), (right, bottom))]


def assert_upright(image: Image.Image, orientation: int) -> None:
    for seen, colour in zip(corners(image), CORNERS[orientation].split(), strict=True):
        assert seen == pytest.approx(ImageColor.getrgb(colour), abs=12)


@pytest.mark.parametrize("width", [12, 24, 200])
@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright_and_its_tag_is_gone(
    orientation: int, kind: str, width: int
) -> None:
    image = made(corpus.GOOD[f"turned-{orientation}.{kind}"], width=width, metadata="keep")
    assert_upright(image, orientation)
    assert 0x0112 not in image.getexif()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_so_does_one_of_any_format(orientation: int, kind: str) -> None:
    data = corpus.encoded(corpus.in_quarters(), kind, exif=corpus.exif(orientation), quality=95)
    assert_upright(made(data), orientation)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_so_does_one_that_moves(orientation: int) -> None:
    frames = iter([Frame(corpus.in_quarters(), 50)] * 2)
    data = write_webp(frames, 0, lossless_webp, alike=0, exif=corpus.exif(orientation))
    ((_, variant),) = make_variants(data, [Recipe("t", 1, Format.PNG, width=24)])
    pictures = [frame.image for frame in film_of(variant.data, read_header(variant.data)).frames()]
    assert len(pictures) == 2
    assert_upright(pictures[0], orientation)


@pytest.mark.parametrize("name", ["sticker.png", "sticker.tiff"])
@pytest.mark.parametrize("fit", Fit)
def test_what_nobody_sees_colours_nothing(name: str, fit: Fit) -> None:
    """The sticker is red, on what is transparent and green."""
    for width in (7, 24, 96):
        size = {"width": width, "height": 2 * width, "fit": fit, "background": "#ff0000"}
        flat = made(corpus.GOOD[name], format=Format.JPEG, quality=100, **size)
        assert flat.convert("RGB").getchannel("G").getextrema()[1] <= 3  # type: ignore[operator]
        seen = made(corpus.GOOD[name], **size)
        visible = seen.getchannel("A").point([0] * 16 + [255] * 240)
        green = Image.composite(seen.getchannel("G"), Image.new("L", seen.size), visible)
        assert green.getextrema() == (0, 0)


def test_a_palette_with_alpha_is_laid_on_the_background() -> None:
    image = made(corpus.GOOD["palette-alpha.png"], format=Format.JPEG, background="#0000ff")
    assert image.getpixel((0, 0)) == pytest.approx((0, 0, 255), abs=20)
    assert image.getpixel((12, 8)) == pytest.approx((255, 0, 0), abs=25)


@pytest.mark.parametrize("name", ["jpeg-and-zip.jpeg", "gif-and-script.gif"])
@pytest.mark.parametrize("kind", Format)
def test_what_hangs_behind_a_picture_does_not_go_along(name: str, kind: Format) -> None:
    ((_, variant),) = make_variants(corpus.GOOD[name], [Recipe("t", 1, kind, width=24)])
    assert b"PK\x03\x04" not in variant.data
    assert b"alert" not in variant.data
