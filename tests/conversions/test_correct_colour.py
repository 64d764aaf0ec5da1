"""Any colours become sRGB's, and what is transparent stays so."""

import io

import pytest
from PIL import Image, ImageCms

from conversions.imaging.colour import to_rgb
from conversions.imaging.header import read_header
from conversions.imaging.moving.read import film_of
from tests.conversions import by_hand, corpus, icc

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def colour(name: str) -> object:
    return corpus.decoded(corpus.GOOD[name]).getpixel((5, 5))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("swapped.jpeg", (1, 255, 0)),
        ("swapped.png", (1, 255, 0)),
        ("swapped.webp", (1, 255, 0)),
        ("swapped.avif", (1, 255, 0)),
        ("swapped.tiff", (1, 255, 0)),
        ("cmyk-profile.jpeg", (9, 255, 0)),
        ("cmyk-profile.tiff", (9, 255, 0)),
        ("cmyk.jpeg", (0, 255, 255)),
        ("cmyk.tiff", (0, 255, 255)),
        ("linear-gray.png", (188, 188, 188)),
        ("broken-profile.png", (255, 0, 0)),
        ("wrong-profile.png", (255, 0, 0)),
        ("large-profile.png", (255, 0, 0)),
        ("gray-16.png", (128, 128, 128)),
        ("rgb-16.png", (128, 255, 0)),
    ],
)
def test_colours_are_what_the_profile_means(name: str, expected: tuple[int, int, int]) -> None:
    assert colour(name) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("name", corpus.GOOD)
def test_every_picture_becomes_rgb_and_has_no_profile_any_more(name: str) -> None:
    image = corpus.decoded(corpus.GOOD[name])
    assert image.mode in {"RGB", "RGBA"}
    assert "icc_profile" not in image.info


@pytest.mark.parametrize("name", ["photograph.png", "lab.tiff"])
def test_colours_without_a_profile_stay(name: str) -> None:
    image = Image.open(io.BytesIO(corpus.GOOD[name]))
    assert colour(name) == image.convert("RGB").getpixel((5, 5))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_rgb_keeps_its_own_colours_and_profile_if_so_asked(mode: str) -> None:
    image = Image.new("RGB", (4, 4), "red").convert(mode)
    image.info["icc_profile"] = icc.swapped()
    kept = to_rgb(image, srgb=False)
    assert kept.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert kept.info["icc_profile"] == icc.swapped()


@pytest.mark.parametrize("mode", ["CMYK", "L", "LA"])
def test_what_has_to_become_rgb_becomes_srgb_even_so(mode: str) -> None:
    image = Image.new(mode, (4, 4), 128)
    image.info["icc_profile"] = icc.green_cyan() if mode == "CMYK" else icc.linear_gray()
    made = to_rgb(image, srgb=False)
    assert "icc_profile" not in made.info
    assert made.mode == ("RGBA" if mode == "LA" else "RGB")
    assert made.getpixel((0, 0)) == to_rgb(image, srgb=True).getpixel((0, 0))


@pytest.mark.parametrize("profile", [b"", b"not a profile", icc.linear_gray(), icc.swapped()[:200]])
def test_a_profile_that_says_nothing_does_not_go_along(profile: bytes) -> None:
    image = Image.new("RGB", (4, 4), "red")
    image.info["icc_profile"] = profile
    assert "icc_profile" not in to_rgb(image, srgb=False).info
    assert to_rgb(image).getpixel((0, 0)) == (255, 0, 0)


def test_srgb_is_left_alone_down_to_the_last_bit() -> None:
    image = corpus.photograph()
    image.info["icc_profile"] = SRGB
    before = image.tobytes()
    made = to_rgb(image)
    assert made is image
    assert made.tobytes() == before
    assert "icc_profile" not in made.info


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
@pytest.mark.parametrize(("wide", "narrow"), [(0, 0), (127, 0), (0x8000, 128), (65_535, 255)])
def test_sixteen_bits_are_scaled_not_clipped(mode: str, wide: int, narrow: int) -> None:
    assert to_rgb(Image.new(mode, (4, 4), wide)).getpixel((0, 0)) == (narrow,) * 3


@pytest.mark.parametrize(
    ("bits", "white_is_zero", "expected"),
    [
        (16, False, [0, 16, 255]),
        (16, True, [255, 239, 0]),
        (12, False, [0, 16, 255]),
    ],
)
def test_a_tiff_is_as_its_tags_say(bits: int, white_is_zero: bool, expected: list[int]) -> None:
    shades = [0, 1 << bits - 4, (1 << bits) - 1, 0]
    data = by_hand.gray_tiff(shades, bits=bits, white_is_zero=white_is_zero)
    image = corpus.decoded(data).getchannel("R")
    assert [image.getpixel((x, 0)) for x in range(3)] == expected


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("I", (-1_000, 0, 1_000), (0, 128, 255)),
        ("I", (0, 1_000_000, 2_000_000), (0, 128, 255)),
        ("F", (0.0, 0.5, 1.0), (0, 128, 255)),
        ("F", (0.25, 0.25, 0.25), (64, 64, 64)),
        ("F", (-8.0, 0.0, 8.0), (0, 128, 255)),
        ("F", (-7.0, -7.0, -7.0), (0, 0, 0)),
        ("F", (float("nan"), 100.0, float("inf")), (0, 100, 255)),
    ],
)
def test_other_wide_gray_is_stretched(
    mode: str, values: tuple[float, ...], expected: tuple[int, ...]
) -> None:
    image = Image.new(mode, (3, 1))
    image.putdata(values)
    made = to_rgb(image)
    assert tuple(made.getpixel((x, 0))[0] for x in range(3)) == expected  # type: ignore[index]


@pytest.mark.parametrize(
    ("mode", "value", "transparency"),
    [
        ("1", 0, 0),
        ("L", 7, 7),
        ("P", 0, 0),
        ("P", 0, b"\0"),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("I;16", 700, 700),
    ],
)
def test_what_one_colour_says_is_transparent_is(
    mode: str, value: int | tuple[int, int, int], transparency: object
) -> None:
    data = corpus.encoded(Image.new(mode, (8, 8), value), "PNG", transparency=transparency)
    image = corpus.decoded(data)
    assert image.getpixel((0, 0))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("transparent", [0, 1, -1])
def test_gray_of_few_bits_is_transparent_where_it_says_so(depth: int, transparent: int) -> None:
    shades = 1 << depth
    for shade in range(shades):
        still = by_hand.gray_png(shade, transparent % shades, depth=depth)
        film = by_hand.gray_png(shade, transparent % shades, depth=depth, frames=2)
        expected = 0 if shade == transparent % shades else 255
        assert corpus.decoded(still).getchannel("A").getextrema() == (expected, expected)
        for frame in film_of(film, read_header(film)).frames():
            assert frame.image.getchannel("A").getextrema() == (expected, expected)


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_alpha_is_kept_in_every_mode(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (200, 200, 200, 128))
    through = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    made = to_rgb(image.convert(through).convert(mode))
    assert made.getpixel((0, 0)) == pytest.approx((200, 200, 200, 128), abs=1)
