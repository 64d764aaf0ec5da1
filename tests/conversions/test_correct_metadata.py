"""Who made a picture goes along, if so asked; where it was taken does not."""

from collections.abc import Callable
from typing import Any

import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from conversions.imaging import Format, Metadata, Recipe, make_variants
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


SECRET = b"who lives here"


def telling(kind: str, *, moves: bool) -> bytes:
    """Return a picture that has a secret wherever Pillow can write one."""
    xmp = b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = exif[ExifTags.Base.Artist] = SECRET.decode()
    note = PngInfo()
    note.add_text("Comment", SECRET.decode())
    note.add_itxt("XML:com.adobe.xmp", xmp.decode())
    tags = ImageFileDirectory_v2()
    tags[700], tags[33723], tags[270] = xmp, SECRET, SECRET.decode()
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"comment": SECRET, "xmp": xmp, "extra": b"\xff\xed\0\x10" + SECRET, "exif": exif},
        "PNG": {"pnginfo": note, "exif": exif},
        "WEBP": {"xmp": xmp, "exif": exif},
        "AVIF": {"xmp": xmp, "exif": exif.tobytes()},
        "GIF": {"comment": SECRET},
        "TIFF": {"tiffinfo": tags},
    }
    more: list[Any] = [corpus.in_quarters()] if moves else []
    return corpus.encoded(
        corpus.photograph(), kind, **options[kind], save_all=moves, append_images=more
    )


@pytest.mark.parametrize("width", [None, 24])
@pytest.mark.parametrize(
    ("kind", "moves"),
    [(kind, False) for kind in (*KINDS, "GIF")]
    + [(kind, True) for kind in ("PNG", "WEBP", "AVIF", "GIF")],
)
def test_nothing_that_a_file_says_goes_along_where_it_is_to_be_stripped(
    kind: str, moves: bool, width: int | None
) -> None:
    data = telling(kind, moves=moves)
    assert SECRET in data
    recipes = [
        Recipe(
            code=f"{srgb}", version=1, format=each, width=width, srgb=srgb, metadata=Metadata.STRIP
        )
        for each in (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF)
        for srgb in (True, False)
    ]
    for recipe, variant in make_variants(data, recipes):
        assert SECRET not in variant.data, recipe.name
