"""Frames of moving pictures, read as browsers show them."""

import io
from typing import Any

import pytest
from PIL import Image

from conversions.imaging import FileRefused, read_header
from conversions.imaging.moving.film import Film
from conversions.imaging.moving.read import film_of
from tests.conversions import by_hand, corpus, icc
from tests.conversions.by_hand import BLUE, GREEN, RED, WHITE, Part

NOTHING = (0, 0, 0, 0)
COLOURS = {
    RED: (255, 0, 0, 255),
    GREEN: (0, 255, 0, 255),
    BLUE: (0, 0, 255, 255),
    WHITE: (255, 255, 255, 255),
}
LEFT, RIGHT, ALL = (0, 0, 2, 2), (2, 0, 4, 2), (0, 0, 4, 2)


def film(data: bytes, **options: Any) -> Film:
    return film_of(data, read_header(data), **options)


def seen(data: bytes) -> list[tuple[Any, Any]]:
    """Return each frame's colours, left and right."""
    pictures = [frame.image.convert("RGBA") for frame in _copied(film(data))]
    return [(each.getpixel((0, 0)), each.getpixel((3, 1))) for each in pictures]


def _copied(of: Film) -> list[Any]:
    frames = []
    for frame in of.frames():
        frames.append(type(frame)(frame.image.copy(), frame.duration))
    return frames


def gif(*parts: Part, **options: Any) -> bytes:
    return by_hand.gif_of((4, 2), *parts, **options)


def apng(*parts: Part, **options: Any) -> bytes:
    return by_hand.apng_of((4, 2), *parts, **options)


class TestGif:
    def test_what_no_frame_has_drawn_is_transparent(self) -> None:
        assert seen(gif(Part(LEFT, RED), Part(RIGHT, BLUE))) == [
            (COLOURS[RED], NOTHING),
            (COLOURS[RED], COLOURS[BLUE]),
        ]

    def test_a_frame_can_be_taken_away(self) -> None:
        assert seen(gif(Part(LEFT, RED, disposal=2), Part(RIGHT, BLUE))) == [
            (COLOURS[RED], NOTHING),
            (NOTHING, COLOURS[BLUE]),
        ]

    def test_only_that_frame_and_not_the_next_that_does_not_ask_for_it(self) -> None:
        data = gif(Part(LEFT, RED, disposal=2), Part(RIGHT, BLUE), Part((0, 0, 1, 1), GREEN))
        assert seen(data)[2] == (COLOURS[GREEN], COLOURS[BLUE])

    def test_a_frame_can_give_back_what_was_there(self) -> None:
        data = gif(Part(ALL, RED), Part(RIGHT, BLUE, disposal=3), Part((0, 0, 1, 1), GREEN))
        assert seen(data)[1:] == [(COLOURS[RED], COLOURS[BLUE]), (COLOURS[GREEN], COLOURS[RED])]

    def test_a_transparent_colour_leaves_what_was_there(self) -> None:
        data = gif(Part(ALL, RED), Part(RIGHT, BLUE, transparent=BLUE))
        assert seen(data)[1] == (COLOURS[RED], COLOURS[RED])

    def test_a_frame_has_its_own_palette(self) -> None:
        other = bytes((1, 2, 3)) * 4
        data = gif(Part(ALL, RED), Part(RIGHT, RED, palette=other))
        assert seen(data)[1] == (COLOURS[RED], (1, 2, 3, 255))

    @pytest.mark.parametrize(("repeats", "plays"), [(None, 1), (0, 0), (4, 5)])
    def test_how_often_it_plays(self, repeats: int | None, plays: int) -> None:
        assert film(gif(Part(ALL, RED), Part(ALL, BLUE), repeats=repeats)).plays == plays

    def test_how_long_each_frame_is_seen_also_no_time_at_all(self) -> None:
        data = gif(Part(ALL, RED, delay=7), Part(ALL, BLUE, delay=0), Part(ALL, RED, delay=1))
        assert [frame.duration for frame in film(data).frames()] == [70, 0, 10]

    def test_a_frame_beyond_the_canvas_is_cut(self) -> None:
        assert seen(gif(Part(ALL, RED), Part((2, 0, 40, 20), BLUE)))[1] == (
            COLOURS[RED],
            COLOURS[BLUE],
        )

    def test_unless_it_is_the_first_which_makes_it_larger(self) -> None:
        data = gif(Part((0, 0, 6, 3), RED), Part(ALL, BLUE))
        assert (read_header(data).width, read_header(data).height) == (6, 3)
        assert [frame.image.size for frame in film(data).frames()] == [(6, 3)] * 2

    @pytest.mark.parametrize("interlace", [False, True])
    def test_pillow_sees_the_same_in_what_pillow_wrote(self, interlace: bool) -> None:
        pictures = [corpus.photograph(), corpus.in_quarters(), corpus.photograph().rotate(180)]
        data = corpus.encoded(
            pictures[0], "GIF", save_all=True, append_images=pictures[1:], interlace=interlace
        )
        with Image.open(io.BytesIO(data)) as opened:
            for number, frame in enumerate(film(data).frames()):
                opened.seek(number)
                assert opened.convert("RGBA").tobytes() == frame.image.tobytes()

    def test_damage_in_a_later_frame_is_seen(self) -> None:
        data = bytearray(gif(Part(ALL, RED), Part(ALL, BLUE)))
        data[-12:-2] = b"\xff" * 10
        with pytest.raises(FileRefused) as refused:
            list(film(bytes(data)).frames())
        assert refused.value.code == "damaged"


class TestApng:
    def test_half_transparent_stays_half_transparent_and_as_bright(self) -> None:
        """Pillow makes it darker and more transparent."""
        data = apng(Part(ALL, (0, 0, 0, 0)), Part(RIGHT, (255, 0, 0, 128), blend=1))
        assert seen(data)[1] == (NOTHING, (255, 0, 0, 128))

    def test_half_transparent_lies_over_what_was(self) -> None:
        data = apng(Part(ALL, (0, 0, 255, 255)), Part(RIGHT, (255, 0, 0, 128), blend=1))
        assert seen(data)[1] == ((0, 0, 255, 255), (128, 0, 127, 255))

    def test_or_replaces_it(self) -> None:
        data = apng(Part(ALL, (0, 0, 255, 255)), Part(RIGHT, (255, 0, 0, 128)))
        assert seen(data)[1] == ((0, 0, 255, 255), (255, 0, 0, 128))

    @pytest.mark.parametrize(("disposal", "left"), [(0, RED), (1, None), (2, GREEN)])
    def test_what_becomes_of_a_frame(self, disposal: int, left: int | None) -> None:
        data = apng(
            Part(ALL, COLOURS[GREEN]),
            Part(LEFT, COLOURS[RED], disposal=disposal),
            Part(RIGHT, COLOURS[BLUE]),
        )
        expected = NOTHING if left is None else COLOURS[left]
        assert seen(data)[2] == (expected, COLOURS[BLUE])

    def test_before_the_first_frame_was_nothing(self) -> None:
        data = apng(Part(ALL, COLOURS[RED], disposal=2), Part(RIGHT, COLOURS[BLUE]))
        assert seen(data)[1] == (NOTHING, COLOURS[BLUE])

    def test_an_image_that_is_no_frame_is_not_shown(self) -> None:
        data = apng(Part(LEFT, COLOURS[RED]), Part(RIGHT, COLOURS[BLUE]), before=COLOURS[GREEN])
        assert read_header(data).frames == 2
        assert seen(data) == [(COLOURS[RED], NOTHING), (COLOURS[RED], COLOURS[BLUE])]

    def test_how_often_and_how_long(self) -> None:
        played = film(apng(Part(ALL, COLOURS[RED], delay=7), Part(ALL, COLOURS[BLUE]), plays=3))
        assert played.plays == 3
        assert [frame.duration for frame in played.frames()] == [70, 100]

    def test_a_frame_beyond_the_canvas_is_damage(self) -> None:
        with pytest.raises(FileRefused) as refused:
            seen(apng(Part(ALL, COLOURS[RED]), Part((2, 0, 5, 2), COLOURS[BLUE])))
        assert refused.value.code == "damaged"

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    def test_every_kind_of_png_can_move(self, mode: str) -> None:
        light = 0xFFFF if mode == "I;16" else 1
        pictures = [Image.new(mode, (4, 2), shade) for shade in (0, light)]
        if mode == "P":
            for each in pictures:
                each.putpalette(by_hand.PALETTE)
        data = corpus.encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:])
        assert len(set(seen(data))) == 2

    @pytest.mark.parametrize("srgb", [True, False])
    def test_its_profile_is_applied_or_kept(self, srgb: bool) -> None:
        pictures = [Image.new("RGB", (4, 2), colour) for colour in ("red", "blue")]
        data = corpus.encoded(
            pictures[0],
            "PNG",
            save_all=True,
            append_images=pictures[1:],
            icc_profile=icc.swapped(),
        )
        frame = next(film(data, srgb=srgb).frames())
        assert frame.image.getpixel((0, 0)) == ((1, 255, 0, 255) if srgb else (255, 0, 0, 255))
        assert ("icc_profile" in frame.image.info) is not srgb


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_what_decoders_lay_on_one_another_themselves(kind: str) -> None:
    pictures = [corpus.sticker(), corpus.in_quarters().convert("RGBA")]
    data = corpus.encoded(
        pictures[0], kind, save_all=True, append_images=pictures[1:], duration=[30, 50], loop=3
    )
    frames = list(film(data).frames())
    assert [frame.duration for frame in frames] == [30, 50]
    assert frames[0].image.getchannel("A").getpixel((1, 1)) == 0
    assert frames[1].image.getpixel((5, 5)) == pytest.approx((255, 0, 0, 255), abs=12)
    assert film(data).plays == (3 if kind == "WEBP" else 0)


def test_it_can_be_read_again() -> None:
    played = film(gif(Part(LEFT, RED, disposal=2), Part(RIGHT, BLUE)))
    twice = [[frame.image.tobytes() for frame in played.frames()] for _ in range(2)]
    assert twice[0] == twice[1]
