"""Pictures in, variants out; and what is refused, with a reason that people can read."""

import io
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conversions.imaging import (
    FileRefused,
    Fit,
    Format,
    Position,
    Recipe,
    Variant,
    Watermark,
    make_variants,
)

ENCODED = [kind for kind in Format if kind is not Format.ORIGINAL]


def picture(size: tuple[int, int] = (400, 300), mode: str = "RGB", **save: Any) -> bytes:
    out = io.BytesIO()
    save.setdefault("format", "PNG")
    Image.new(mode, size).save(out, **save)
    return out.getvalue()


def recipe(**values: Any) -> Recipe:
    given_ = {"code": "t", "version": 1, "format": Format.PNG, "width": 100, **values}
    return Recipe(**given_)


def variant_of(data: bytes, recipe: Recipe) -> Variant:
    ((_, variant),) = make_variants(data, [recipe])
    return variant


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


class TestVariants:
    @pytest.mark.parametrize("kind", ENCODED)
    def test_every_format_is_what_it_says(self, kind: Format) -> None:
        variant = variant_of(picture(), recipe(format=kind))
        made = opened(variant.data)
        assert made.format == kind.name
        assert made.size == (variant.width, variant.height) == (100, 75)

    def test_cover_fills_the_box_and_contain_fits_into_it(self) -> None:
        source = picture((400, 200))
        cover = variant_of(source, recipe(width=100, height=100, fit=Fit.COVER))
        contain = variant_of(source, recipe(width=100, height=100))
        assert (cover.width, cover.height) == (100, 100)
        assert (contain.width, contain.height) == (100, 50)

    def test_cover_takes_the_middle(self) -> None:
        image = Image.new("RGB", (300, 100), "red")
        image.paste("blue", (100, 0, 200, 100))
        out = io.BytesIO()
        image.save(out, format="PNG")
        variant = variant_of(out.getvalue(), recipe(width=50, height=50, fit=Fit.COVER))
        assert opened(variant.data).getpixel((25, 25)) == (0, 0, 255)

    @settings(max_examples=40, deadline=None)
    @given(
        size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
        box=st.tuples(st.integers(1, 400), st.integers(1, 400)),
        fit=st.sampled_from(list(Fit)),
    )
    def test_nothing_is_ever_upscaled(
        self, size: tuple[int, int], box: tuple[int, int], fit: Fit
    ) -> None:
        variant = variant_of(picture(size), recipe(width=box[0], height=box[1], fit=fit))
        largest = box if fit is Fit.PAD else (min(size[0], box[0]), min(size[1], box[1]))
        assert variant.width <= largest[0]
        assert variant.height <= largest[1]

    def test_the_camera_was_held_sideways(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # turned a quarter clockwise
        data = picture((400, 300), format="JPEG", exif=exif.tobytes())
        variant = variant_of(data, recipe(format=Format.JPEG, width=30))
        assert (variant.width, variant.height) == (30, 40)
        assert 0x0112 not in opened(variant.data).getexif()

    def test_what_is_transparent_shows_the_background_in_a_jpeg(self) -> None:
        out = io.BytesIO()
        Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(out, format="PNG")
        made = variant_of(out.getvalue(), recipe(format=Format.JPEG, background="#00ff00"))
        red, green, blue = opened(made.data).convert("RGB").getpixel((5, 5))  # type: ignore[misc]
        assert (red < 10, green > 245, blue < 10) == (True, True, True)

    def test_transparency_is_kept_where_the_format_has_it(self) -> None:
        out = io.BytesIO()
        Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(out, format="PNG")
        made = variant_of(out.getvalue(), recipe(format=Format.WEBP))
        assert opened(made.data).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]

    def test_sixteen_bit_gray_is_scaled_not_clipped(self) -> None:
        out = io.BytesIO()
        Image.new("I;16", (10, 10), 0x8000).save(out, format="PNG")
        made = variant_of(out.getvalue(), recipe())
        assert opened(made.data).convert("L").getpixel((5, 5)) == 128

    def test_a_strip_longer_than_webp_can_be_is_shrunk(self) -> None:
        variant = variant_of(picture((10, 20_000)), recipe(format=Format.WEBP))
        assert opened(variant.data).size == (variant.width, variant.height) == (8, 16_383)

    @pytest.mark.parametrize("kind", ENCODED)
    def test_a_photograph_does_not_tell_where_it_was_taken(self, kind: Format) -> None:
        exif = Image.Exif()
        exif[0x0112] = 1
        exif.get_ifd(0x8825)[1] = "N"  # GPSLatitudeRef
        exif[0x010E] = "my home"
        source = picture(format="JPEG", exif=exif.tobytes())
        assert not opened(variant_of(source, recipe(format=kind)).data).getexif()


SEEDS = [
    picture((24, 16), format=kind) for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
]


@settings(max_examples=300, deadline=None)
@given(
    data=st.sampled_from(SEEDS),
    at=st.floats(0, 1, exclude_max=True),
    junk=st.binary(min_size=1, max_size=8),
)
def test_broken_bytes_make_a_picture_or_a_refusal_and_nothing_else(
    data: bytes, at: float, junk: bytes
) -> None:
    place = int(len(data) * at)
    broken = data[:place] + junk + data[place + len(junk) :]
    with suppress(FileRefused):  # any other exception would have a function try again
        variant_of(broken, recipe(format=Format.JPEG))


def test_a_recipe_survives_a_message() -> None:
    mark = Watermark("0f" * 32, position=Position.TOP_LEFT, opacity=30)
    one = recipe(height=None, format=Format.AVIF, fit=Fit.CROP, srgb=False, watermark=mark)
    assert Recipe.from_mapping(json.loads(json.dumps(one.to_mapping()))) == one
    assert one.name == "t-v1.avif"


def test_a_recipe_of_an_older_or_newer_portal_is_read_all_the_same() -> None:
    plain = {"code": "t", "version": Decimal(1), "format": "png", "width": Decimal(100)}
    assert Recipe.from_mapping({**plain, "height": None, "hue": 3}) == recipe()


@pytest.mark.parametrize(("source", "kind"), [("JPEG", Format.JPEG), ("TIFF", Format.PNG)])
def test_the_original_format_is_the_sources(source: str, kind: Format) -> None:
    assert recipe(format=Format.ORIGINAL).for_source(source).format is kind
