"""Luma and chroma apart look as RGB does, and only what has them is taken apart."""

import io
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat

from conversions.imaging import FileRefused, Fit, Format, Recipe, chroma, make_variants
from conversions.imaging.decode import decode
from conversions.imaging.encode import encode
from conversions.imaging.geometry import geometry
from conversions.imaging.header import open_picture
from conversions.imaging.operations import operations_of
from tests.conversions import icc
from tests.conversions.corpus import encoded, photograph

PHOTOGRAPH = photograph((1_600, 1_200)).resize((800, 600)).resize((1_597, 1_193))
PORTRAIT = PHOTOGRAPH.transpose(Image.Transpose.ROTATE_90)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RECIPES = (
    Recipe("jpeg", 1, Format.JPEG, width=333, quality=95),
    Recipe("webp", 1, Format.WEBP, width=333, quality=95),
    Recipe("avif", 1, Format.AVIF, width=201, height=150, fit=Fit.COVER, quality=90),
    Recipe("gray", 1, Format.PNG, width=101, grayscale=True),
    Recipe("sharp", 1, Format.JPEG, width=250, sharpen=50, quality=95),
    Recipe("pad", 1, Format.JPEG, width=250, height=251, fit=Fit.PAD, quality=95),
)


def difference(one: Image.Image, other: Image.Image) -> float:
    """How far apart two pictures are: of 255, in the mean of squares."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).rms)


def red(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the box of what is red on gray."""
    box = image.getchannel("R").point(lambda value: 255 * (value > 152)).getbbox()
    assert box
    return box


def made(data: bytes, *recipes: Recipe) -> dict[str, Image.Image]:
    return {
        recipe.code: Image.open(io.BytesIO(variant.data))
        for recipe, variant in make_variants(data, recipes)
    }


def is_taken_apart(data: bytes, *recipes: Recipe) -> bool:
    image, header = open_picture(data)
    size = (header.width, header.height)
    variants = [(each, geometry(size, each)) for each in recipes or RECIPES]
    return decode(image, header, data, variants)[True].chroma is not None


class TestLikeness:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_it_is_upright_and_in_place(self, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        source = encoded(PHOTOGRAPH, "JPEG", quality=95, exif=exif)
        assert is_taken_apart(source)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(source)))
        for width in (700, 333, 100):
            recipe = Recipe("t", 1, Format.JPEG, width=width, quality=95)
            seen = made(source, recipe)["t"]
            wanted = upright.resize(seen.size, Image.Resampling.LANCZOS)
            same = Image.open(io.BytesIO(encode(wanted.copy(), recipe)))  # what JPEG itself loses
            assert difference(seen, wanted) < 1.2 * difference(same, wanted) + 1

    @settings(max_examples=20)
    @given(
        width=st.integers(700, 1_597),
        height=st.integers(700, 1_193),
        codes=st.sets(st.sampled_from(range(len(RECIPES))), min_size=1),
    )
    @example(width=1_597, height=1_193, codes={0, 1})
    @example(width=1_001, height=751, codes=set(range(len(RECIPES))))
    def test_it_looks_like_rgb(self, width: int, height: int, codes: set[int]) -> None:
        source = encoded(PHOTOGRAPH.crop((0, 0, width, height)), "JPEG", quality=90)
        recipes = [RECIPES[code] for code in codes]
        apart = made(source, *recipes)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("conversions.imaging.decode.can_be_apart", lambda _: False)
            whole = made(source, *recipes)
        for code, seen in apart.items():
            assert (seen.size, seen.mode) == (whole[code].size, whole[code].mode)
            assert difference(seen.reduce(4), whole[code].reduce(4)) < 4  # of noise little is left

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_colours_stay_where_their_edges_are(self, orientation: int) -> None:
        image = Image.new("RGB", (1_601, 1_201), (120, 120, 120))
        image.paste((184, 85, 120), (1_001, 301, 1_500, 800))  # of the same luma
        exif = Image.Exif()
        exif[0x0112] = orientation
        source = encoded(image, "JPEG", quality=95, exif=exif)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(source)))
        for width in (799, 333, 101):
            seen = made(source, Recipe("t", 1, Format.JPEG, width=width))["t"]
            wanted = [at * width / upright.width for at in red(upright)]
            assert red(seen) == pytest.approx(wanted, abs=2)

    def test_gray_is_luma_to_the_bit(self) -> None:
        source = encoded(PHOTOGRAPH, "JPEG", quality=90)
        luma = Image.open(io.BytesIO(source))
        luma.draft("L", luma.size)
        recipe = Recipe("t", 1, Format.PNG, grayscale=True)
        assert is_taken_apart(source, recipe)
        assert made(source, recipe)["t"].tobytes() == luma.tobytes()


class TestWhatIsTakenApart:
    @pytest.mark.parametrize(
        ("expected", "options"),
        [
            (True, {}),
            (True, {"icc_profile": SRGB}),
            (False, {"icc_profile": icc.swapped()}),
            (False, {"progressive": True}),
            (False, {"subsampling": "4:4:4"}),
            (False, {"subsampling": "4:2:2"}),
            (False, {"keep_rgb": True}),
        ],
    )
    def test_it_has_to_be_stored_so(self, expected: bool, options: dict[str, Any]) -> None:
        assert is_taken_apart(encoded(PHOTOGRAPH, "JPEG", **options)) is expected

    def test_other_pictures_stay_whole(self) -> None:
        for source in (
            encoded(PHOTOGRAPH.convert("L"), "JPEG"),
            encoded(PHOTOGRAPH.convert("CMYK"), "JPEG"),
            encoded(PHOTOGRAPH.crop((0, 0, 100, 100)), "JPEG"),
            encoded(PHOTOGRAPH, "WEBP"),
        ):
            assert not is_taken_apart(source)

    def test_chroma_is_kept_where_it_would_be_missed(self) -> None:
        source = encoded(PHOTOGRAPH, "JPEG")
        large = Recipe("large", 1, Format.JPEG, width=800)
        assert is_taken_apart(source, large, Recipe("t", 1, Format.PNG, width=200))
        assert not is_taken_apart(source, large, Recipe("t", 1, Format.PNG, width=700))

    def test_a_cut_file_is_refused(self) -> None:
        source = encoded(PHOTOGRAPH, "JPEG")
        with pytest.raises(FileRefused):
            made(source[: len(source) // 2], *RECIPES)


def test_only_what_is_plain_stays_in_ycbcr() -> None:
    found = {
        each.code: chroma.can_stay_apart(each, geometry((800, 600), each), operations_of(each, {}))
        for each in RECIPES
    }
    assert [code for code, stays in found.items() if stays] == ["jpeg", "gray"]
