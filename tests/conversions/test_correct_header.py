"""What is refused, by its bytes alone and before a pixel is decoded; and what is not."""

import re
from contextlib import nullcontext

import pytest
from PIL import ImageFile

from conversions.imaging import (
    FileRefused,
    Format,
    Recipe,
    VariantRefused,
    fan_out,
    jpeg,
    limits,
    make_variants,
    read_header,
)
from conversions.imaging.geometry import Geometry
from conversions.imaging.memory import check_encoding
from conversions.imaging.moving import chunks, gif_blocks
from conversions.models.uploads import UploadError
from tests.conversions import by_hand, corpus

BOMBS = [
    name
    for name, (_, code) in corpus.REFUSED.items()
    if code in {"too_many_pixels", "side_too_long", "too_many_frames"}
]


def pair(kind: str) -> bytes:
    return corpus.encoded(
        corpus.photograph(), kind, save_all=True, append_images=[corpus.in_quarters()]
    )


@pytest.fixture
def _nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(_self: object) -> None:
        pytest.fail("a picture was decoded to look at its header")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)


@pytest.mark.parametrize("name", corpus.GOOD)
def test_says_what_decoding_would(name: str) -> None:
    header = read_header(corpus.GOOD[name])
    assert (header.width, header.height) == corpus.decoded(corpus.GOOD[name]).size
    assert header.format == name.rpartition(".")[2].upper().replace("MPO", "JPEG")
    assert header.frames == 1


@pytest.mark.parametrize("name", corpus.REFUSED)
def test_refused_for_good_with_a_reason_that_people_can_read(name: str) -> None:
    data, code = corpus.REFUSED[name]
    with pytest.raises(FileRefused) as refused:
        corpus.decoded(data)
    assert refused.value.code == code
    assert code in UploadError.values
    assert re.fullmatch(r"[A-Z].* .*\.", str(refused.value))


@pytest.mark.usefixtures("_nothing_is_decoded")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_a_pixel_is_decoded(name: str) -> None:
    data, code = corpus.REFUSED[name]
    with pytest.raises(FileRefused) as refused:
        read_header(data)
    assert refused.value.code == code


def test_frames_are_counted_only_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def check(count: int, _pixels: int) -> None:
        seen.append(count)
        limits.check_frames(count, 1)

    monkeypatch.setattr(gif_blocks, "check_frames", check)
    with pytest.raises(FileRefused):
        read_header(by_hand.gif(10_000))
    assert seen == list(range(1, limits.MOST_FRAMES + 2))


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (by_hand.gif(3), 3),
        (by_hand.apng(3), 3),
        (by_hand.webp(3), 3),
        (pair("AVIF"), 2),
        (pair("TIFF"), 1),
    ],
    ids=["GIF", "APNG", "WebP", "AVIF", "TIFF"],
)
def test_frames_are_those_that_move(data: bytes, frames: int) -> None:
    assert read_header(data).frames == frames


def test_a_film_of_avif_is_counted_by_its_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_FRAMES", 1)
    with pytest.raises(FileRefused) as refused:
        read_header(pair("AVIF"))
    assert refused.value.code == "too_many_frames"


def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 1_000)
    with pytest.raises(FileRefused) as refused:
        read_header(bytes(1_001))
    assert refused.value.code == "too_many_bytes" in UploadError.values


def test_a_format_that_takes_much_memory_may_have_fewer_pixels() -> None:
    size = (7_700, 7_700)
    for kind, data in by_hand.sized(*size):
        if kind == "webp":
            with pytest.raises(FileRefused) as refused:
                read_header(data)
            assert refused.value.code == "too_much_memory" in UploadError.values
        else:
            assert read_header(data).width == 7_700


def test_variants_that_take_much_memory_are_refused_before_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = by_hand.png((7_000, 7_000), b"")
    monkeypatch.setattr(fan_out, "processors", lambda: 1)
    for kind, code in ((Format.AVIF, "too_much_memory"), (Format.JPEG, "damaged")):
        with pytest.raises(FileRefused) as refused:
            list(make_variants(data, [Recipe(code="t", version=1, format=kind)]))
        assert refused.value.code == code


@pytest.mark.parametrize("kind", [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF])
def test_a_film_takes_more_memory_than_a_picture(
    kind: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "processors", lambda: 1)
    data = by_hand.webp(2, (7_000, 7_000))
    with pytest.raises(VariantRefused) as refused:
        list(make_variants(data, [Recipe(code="t", version=1, format=kind)]))
    assert refused.value.code == "too_much_memory"


@pytest.mark.parametrize(
    ("processors", "variants", "refused"),
    [
        (1, [(Format.AVIF, (4_096, 4_096))] * 2, False),
        (1, [(Format.AVIF, (7_000, 7_000))], True),
        (1, [(Format.JPEG, (7_000, 7_000))], False),
        (1, [(Format.JPEG, (4_096, 4_096))] * 20, True),
        (2, [(Format.JPEG, (4_096, 4_096))] * 20, False),
        (2, [(Format.AVIF, (7_000, 7_000)), (Format.JPEG, (7_000, 7_000))], False),
        (2, [(Format.AVIF, (7_000, 7_000))] * 2, True),
    ],
)
def test_memory_is_that_of_the_largest_encoders_and_of_all_sizes(
    processors: int, variants: list[tuple[Format, tuple[int, int]]], refused: bool
) -> None:
    parts = [
        (kind, Geometry((number, 0, *size), size)) for number, (kind, size) in enumerate(variants)
    ]
    with pytest.raises(VariantRefused) if refused else nullcontext():
        check_encoding(60_000_000, 20_000_000, parts, processors=processors)


def test_a_size_that_variants_share_takes_memory_once() -> None:
    part = Geometry((0, 0, 8_000, 6_000), (4_000, 3_000))
    check_encoding(48_000_000, 20_000_000, [(Format.JPEG, part)] * 300, processors=1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "JPEG"])
def test_what_consists_of_nothing_but_blocks_is_not_read_to_its_end(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gif_blocks, "MOST_BLOCKS", 10)
    monkeypatch.setattr(chunks, "MOST_CHUNKS", 10)
    monkeypatch.setattr(jpeg, "MOST_CHUNKS", 10)
    many = {
        "GIF": by_hand.gif(11),
        "PNG": by_hand.apng(11),
        "WEBP": by_hand.webp(11),
        "JPEG": by_hand.jpeg(11),
    }
    with pytest.raises(FileRefused) as refused:
        read_header(many[kind])
    assert refused.value.code == "damaged"


@pytest.mark.parametrize(
    ("tile", "code"),
    [
        ((24_000, 24_000), "too_much_memory"),
        ((0, 256), "damaged"),
        ((16, 2**31), "too_much_memory"),
    ],
)
def test_tiles_of_a_tiff_are_reckoned_as_large_as_they_are(
    tile: tuple[int, int], code: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        read_header(by_hand.tiff((64, 64), tile))
    assert refused.value.code == code


@pytest.mark.parametrize("data", [by_hand.twice_tiled_tiff(), by_hand.tiff_of_another_kind()])
def test_a_tiff_that_decoders_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        read_header(data)
    assert refused.value.code == "damaged"


def test_many_tiles_may_reach_a_little_beyond_a_tiff() -> None:
    assert read_header(by_hand.tiff((10_000, 6_000), (512, 512))).width == 10_000
    with pytest.raises(FileRefused):
        read_header(by_hand.tiff((10_000, 1), (1, 30_000)))


def test_a_jpeg_of_many_scans_is_refused() -> None:
    assert read_header(by_hand.jpeg(limits.MOST_SCANS)).format == "JPEG"
    with pytest.raises(FileRefused) as refused:
        read_header(by_hand.jpeg(limits.MOST_SCANS + 1))
    assert refused.value.code == "too_slow" in UploadError.values


def test_what_looks_like_a_scan_is_none_within_a_segment_or_behind_the_end() -> None:
    comment = b"\xff\xfe\x01\x02" + b"\xff\xda" * 128
    data = by_hand.jpeg(10)
    read_header(data[:2] + comment + data[2:] + b"\xff\xda\0\2" * 100)


def test_no_byte_that_libjpeg_passes_over_hides_a_scan() -> None:
    data = by_hand.jpeg(limits.MOST_SCANS + 1)
    first = data.index(b"\xff\xda") + 20
    with pytest.raises(FileRefused):
        read_header(data[:first] + b"\xff\x02\xff\xff\xff\xd0\xff\xff" + data[first:])


def test_a_picture_is_not_guessed_where_it_is_cut_off() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_unit_of_work_has_its_time() -> None:
    times = iter([100.0, 107.9, 108.1])
    deadline = limits.Deadline(8, clock=lambda: next(times))
    deadline.check()
    with pytest.raises(FileRefused) as refused:
        deadline.check()
    assert refused.value.code == "too_slow" in UploadError.values
    limits.Deadline().check()
