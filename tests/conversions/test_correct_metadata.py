"""Who made a picture goes along, if so asked; where it was taken does not."""

from collections.abc import Callable

import pytest
from PIL import ExifTags, Image

from conversions.imaging import Metadata
from conversions.imaging.header import open_picture, orientation
from conversions.imaging.metadata import exif_of
from tests.conversions import corpus

KINDS = ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"]


def kept(data: bytes, what: Metadata) -> Image.Exif:
    read = Image.Exif()
    if exif := exif_of(open_picture(data)[0], what):
        read.load(exif)
    return read


def pictured(kind: str) -> bytes:
    return corpus.encoded(corpus.photograph(), kind, exif=corpus.exif(6))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing(kind: str) -> None:
    assert exif_of(open_picture(pictured(kind))[0], Metadata.STRIP) == b""


@pytest.mark.parametrize("read", [lambda image: exif_of(image, Metadata.COPYRIGHT), orientation])
def test_a_lack_of_memory_is_no_lack_of_tags(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[Image.Image], object]
) -> None:
    def without_memory(_image: Image.Image) -> Image.Exif:
        raise MemoryError

    image, _ = open_picture(pictured("JPEG"))
    monkeypatch.setattr(Image.Image, "getexif", without_memory)
    with pytest.raises(MemoryError):
        read(image)


@pytest.mark.parametrize("kind", KINDS)
def test_copyright_alone(kind: str) -> None:
    assert set(kept(pictured(kind), Metadata.COPYRIGHT)) == {
        ExifTags.Base.Artist,
        ExifTags.Base.Copyright,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_everything_but_how_it_lay(kind: str) -> None:
    read = kept(pictured(kind), Metadata.KEEP)
    assert read[ExifTags.Base.ImageDescription] == "my home"
    assert read.get_ifd(ExifTags.IFD.GPSInfo) == {1: "N"}
    assert read.get_ifd(ExifTags.IFD.Exif) == {0x9003: "2026:01:02 03:04:05"}
    assert set(read) <= {0x010E, 0x013B, 0x8298, ExifTags.IFD.GPSInfo, ExifTags.IFD.Exif}


def test_text_keeps_its_bytes() -> None:
    read = kept(pictured("JPEG"), Metadata.COPYRIGHT)
    assert read[ExifTags.Base.Copyright].encode("latin-1").decode() == "© Zoë"


def test_the_small_picture_of_the_source_does_not_go_along() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Zoe"
    exif.get_ifd(ExifTags.IFD.IFD1)[ExifTags.Base.JpegIFOffset] = 1
    data = corpus.encoded(corpus.photograph(), "JPEG", exif=exif.tobytes())
    assert not kept(data, Metadata.KEEP).get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize("what", Metadata)
@pytest.mark.parametrize("name", ["broken-exif.jpeg", "photograph.png", "photograph.gif"])
def test_broken_or_missing_tags_are_none(name: str, what: Metadata) -> None:
    assert exif_of(open_picture(corpus.GOOD[name])[0], what) == b""


def test_more_than_a_jpeg_can_hold_is_reduced_to_whose_it_is() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Zoe"
    exif[ExifTags.Base.ImageDescription] = "x" * 100_000
    data = corpus.encoded(corpus.photograph(), "PNG", exif=exif.tobytes())
    assert dict(kept(data, Metadata.KEEP)) == {ExifTags.Base.Artist: "Zoe"}
