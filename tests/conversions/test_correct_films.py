"""Moving variants: their frames, durations and number of times, in every format that can move."""

import io
import weakref

import pytest
from PIL import Image, ImageChops, ImageColor, ImageStat

from conversions.imaging import Header, read_header
from conversions.imaging.moving.film import Frame, Ticks
from conversions.imaging.moving.gif_writer import encode_gif
from conversions.imaging.moving.read import film_of
from conversions.imaging.moving.webp_writer import write_webp
from tests.conversions import corpus, icc
from tests.conversions.films import EXACT, WRITERS, Frames, frames, lossless_webp, written


def same(one: Image.Image, other: Image.Image, *, within: int) -> bool:
    """Say whether no shade of any pixel differs by more. Pixels that nobody sees are alike."""
    pictures = [image.convert("RGBA").convert("RGBa") for image in (one, other)]
    bands = zip(*(picture.split() for picture in pictures), strict=True)
    extremes = [ImageChops.difference(*pair).getextrema() for pair in bands]
    return max(int(high) for _low, high in extremes) <= within  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("mode", ["RGBA", "RGB", "LA", "L"])
def test_every_frame_is_what_it_was(kind: str, mode: str) -> None:
    _, film = written(kind, frames(mode))
    for before, after in zip(frames(mode), film.frames(), strict=True):
        assert same(before.image, after.image, within=0)


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "LA", "L"])
def test_every_frame_of_an_avif_is_much_what_it_was(mode: str) -> None:
    _, film = written("AVIF", frames(mode))
    for before, after in zip(frames(mode), film.frames(), strict=True):
        assert same(before.image.resize((6, 4)), after.image.resize((6, 4)), within=40)


@pytest.mark.parametrize("kind", WRITERS)
def test_others_see_the_same_frames(kind: str) -> None:
    data, film = written(kind, frames())
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.format == kind
        assert getattr(opened, "n_frames", 1) == 4
        for number, frame in enumerate(film.frames()):
            opened.seek(number)
            assert opened.convert("RGBA").tobytes() == frame.image.convert("RGBA").tobytes()


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("plays", [0, 1, 2, 65_535])
def test_it_plays_as_often(kind: str, plays: int) -> None:
    assert written(kind, frames(), plays)[1].plays == plays


@pytest.mark.parametrize("kind", EXACT)
def test_frames_last_as_long_even_no_time_at_all(kind: str) -> None:
    _, film = written(kind, frames())
    assert [frame.duration for frame in film.frames()] == [100, 0, 30, 70]


def test_an_avif_knows_no_frame_that_lasts_no_time() -> None:
    _, film = written("AVIF", frames())
    assert [frame.duration for frame in film.frames()] == [100, 1, 30, 70]


@pytest.mark.parametrize(("kind", "unit"), [("GIF", 10), ("PNG", 1), ("WEBP", 1), ("AVIF", 1)])
def test_rounding_does_not_add_up(kind: str, unit: int) -> None:
    _, film = written(kind, frames(durations=(1000 / 60,) * 30))
    lasts = [frame.duration for frame in film.frames()]
    assert sum(lasts) == 500
    assert all(abs(each - 1000 / 60) < unit for each in lasts)


@pytest.mark.parametrize(("kind", "most"), [("GIF", 655_350), ("PNG", 65_535)])
def test_what_lasts_longer_than_the_format_knows_lasts_as_long_as_it_can(
    kind: str, most: int
) -> None:
    _, film = written(kind, frames(durations=(10_000_000, 50)))
    assert [frame.duration for frame in film.frames()] == [most, 50]


@pytest.mark.parametrize("kind", WRITERS)
def test_frames_that_repeat_one_stay_frames(kind: str) -> None:
    def still() -> Frames:
        for _ in range(3):
            yield Frame(corpus.sticker(), 50)

    _, film = written(kind, still())
    assert [frame.duration for frame in film.frames()] == [50, 50, 50]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_film_is_written_frame_by_frame(kind: str) -> None:
    """However long it is, only a few of its frames are held."""
    made: list[weakref.ref[Image.Image]] = []
    most = 0

    def counted() -> Frames:
        nonlocal most
        for frame in frames(durations=(10,) * 20):
            made.append(weakref.ref(frame.image))
            most = max(most, sum(each() is not None for each in made))
            yield frame

    written(kind, counted())
    assert most <= 3


def test_a_webp_draws_only_the_blocks_that_have_changed() -> None:
    """As much as libwebp itself takes for the same, so that lossy sources are not drawn anew."""

    def shimmering(count: int) -> Frames:
        ground = corpus.photograph((160, 120))
        for number in range(count):
            image = ground.point([min(v + number % 3, 255) for v in range(256)] * 3)
            image.paste("red", (number * 8, 40, number * 8 + 16, 56))
            yield Frame(image, 50)

    sizes = [len(write_webp(shimmering(n), 0, lossless_webp, alike=4, exif=b"")) for n in (1, 10)]
    assert sizes[1] < 1.3 * sizes[0]
    film = film_of(*_with_header(write_webp(shimmering(10), 0, lossless_webp, alike=4, exif=b"")))
    for before, after in zip(shimmering(10), film.frames(), strict=True):
        assert same(before.image, after.image, within=4)


def _with_header(data: bytes) -> tuple[bytes, Header]:
    return data, read_header(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_and_profile_go_along(kind: str) -> None:
    def coloured() -> Frames:
        for frame in frames():
            frame.image.info["icc_profile"] = icc.swapped()
            yield frame

    data, _ = written(kind, coloured())
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.info["icc_profile"] == icc.swapped()
        assert opened.getexif()[0x013B].encode("latin-1").decode() == "Zoë"


class TestGif:
    def test_what_stands_still_does_not_flicker(self) -> None:
        """Even where each frame needs all the colours of its palette for something else."""

        def busy() -> Frames:
            ground = corpus.photograph((120, 80))
            for number in range(4):
                image = ground.copy()
                image.paste(corpus.photograph((60, 80)).rotate(90 * number), (60, 0))
                yield Frame(image, 50)

        _, film = written("GIF", busy())
        lefts = {frame.image.crop((0, 0, 60, 80)).tobytes() for frame in film.frames()}
        assert len(lefts) == 1

    def test_what_hardly_changes_is_not_drawn_again(self) -> None:
        def shimmering() -> Frames:
            ground = corpus.photograph()
            for number in range(10):
                yield Frame(ground.point([min(v + number % 3, 255) for v in range(256)] * 3), 50)

        def once() -> Frames:
            yield next(shimmering())

        assert len(written("GIF", shimmering())[0]) < 1.2 * len(written("GIF", once())[0])

    @pytest.mark.parametrize("ground", ["#ffffff", "#000000", "#00ff00"])
    def test_what_is_half_there_has_its_own_colour_on_any_ground(self, ground: str) -> None:
        with Image.open(io.BytesIO(encode_gif(corpus.sticker()))) as opened:
            made = opened.convert("RGBA")
        page = Image.new("RGBA", made.size, ground)
        page.alpha_composite(made)
        colours = {colour[:3] for _, colour in page.getcolors() or ()}  # type: ignore[index]
        assert colours == {(255, 0, 0), ImageColor.getrgb(ground)}
        there = corpus.sticker().getchannel("A").point([0] * 128 + [255] * 128)
        assert made.getchannel("A").tobytes() == there.tobytes()

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
    @pytest.mark.parametrize("size", [(1, 1), (1, 300), (96, 64)])
    def test_a_still_one_of_any_kind(self, mode: str, size: tuple[int, int]) -> None:
        data = encode_gif(corpus.sticker().resize(size).convert(mode))
        with Image.open(io.BytesIO(data)) as opened:
            assert (opened.format, opened.size) == ("GIF", size)
            assert not getattr(opened, "is_animated", False)
            assert "loop" not in opened.info

    def test_a_photograph_is_dithered(self) -> None:
        across, down = Image.linear_gradient("L").rotate(90), Image.linear_gradient("L")
        photo = Image.merge("RGB", (across, down, ImageChops.invert(across)))
        data = encode_gif(photo)
        with Image.open(io.BytesIO(data)) as opened:
            made = opened.convert("RGB")
        errors = [
            sum(ImageStat.Stat(ImageChops.difference(photo.resize((64, 64)), each)).sum)
            for each in (made.resize((64, 64)), photo.quantize(255).convert("RGB").resize((64, 64)))
        ]
        assert errors[0] < errors[1] / 2


def test_ticks_sum_up() -> None:
    ticks = Ticks(unit=10, most=100)
    assert [ticks.of(each) for each in (4, 4, 4, 0, 5000)] == [0, 1, 0, 0, 100]
