"""Files as the world uploads them, made of nothing but Pillow and bytes by hand.

    python -m tests.conversions.corpus DIR      writes them all, to look at

`GOOD` are to be converted, `REFUSED` to be refused, with the codes that go with them.
"""

import io
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from conversions.imaging.decode import decode
from conversions.imaging.geometry import geometry
from conversions.imaging.header import open_picture
from conversions.imaging.recipe import Format, Recipe
from tests.conversions import by_hand, icc

STILL = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
SIZE = (96, 64)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def decoded(data: bytes) -> Image.Image:
    """Return a picture as imaging sees it, at its full size. Raise FileRefused."""
    image, header = open_picture(data)
    recipe = Recipe("t", 1, Format.PNG)
    size = (header.width, header.height)
    seen = decode(image, header, data, [(recipe, geometry(size, recipe))])[True]
    return seen.image


def photograph(size: tuple[int, int] = SIZE) -> Image.Image:
    """Smooth and rough, light and dark, all hues."""
    red = Image.linear_gradient("L").resize(size)
    green = Image.radial_gradient("L").resize(size)
    blue = Image.frombytes("L", size, random.Random(4).randbytes(size[0] * size[1]))
    return Image.merge("RGB", (red, green, blue))


def sticker(size: tuple[int, int] = SIZE) -> Image.Image:
    """A red disc, its edge smooth, on what is transparent and, unseen, green."""
    alpha = Image.new("L", (size[0] * 4, size[1] * 4))
    ImageDraw.Draw(alpha).ellipse((20, 20, alpha.width - 20, alpha.height - 20), 255)
    alpha = alpha.resize(size, Image.Resampling.BOX)
    red, green = Image.new("RGB", size, (255, 0, 0)), Image.new("RGB", size, (0, 255, 0))
    image = Image.composite(red, green, alpha.point([0] + [255] * 255))
    image.putalpha(alpha)
    return image


def exif(orientation: int = 1) -> bytes:
    """With a copyright, an author, and where it was taken."""
    tags = Image.Exif()
    tags[0x0112], tags[0x8298], tags[0x013B] = orientation, "© Zoë".encode(), "Zoë".encode()
    tags[0x010E] = "my home"
    tags.get_ifd(0x8825)[1] = "N"
    tags.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    return tags.tobytes()


def in_quarters() -> Image.Image:
    """Red, green; blue, white: to see how it was turned."""
    image = Image.new("RGB", SIZE, "white")
    half = (SIZE[0] // 2, SIZE[1] // 2)
    for colour, at in (("red", (0, 0)), ("green", (half[0], 0)), ("blue", (0, half[1]))):
        image.paste(colour, (*at, at[0] + half[0], at[1] + half[1]))
    return image


def _good() -> Iterator[tuple[str, bytes]]:
    photo = photograph()
    for kind in STILL:
        yield f"photograph.{kind.lower()}", encoded(photo, kind)
    for turn in range(1, 9):
        yield f"turned-{turn}.jpeg", encoded(in_quarters(), "JPEG", exif=exif(turn), quality=95)
        yield f"turned-{turn}.tiff", encoded(in_quarters(), "TIFF", exif=exif(turn))
    for kind in ("PNG", "WEBP", "AVIF", "TIFF"):
        yield f"sticker.{kind.lower()}", encoded(sticker(), kind)
    yield "palette-alpha.png", encoded(sticker().quantize(64), "PNG")
    yield "palette.gif", encoded(sticker().quantize(64), "GIF", transparency=0)
    yield "one-bit.png", encoded(photo.convert("1"), "PNG")
    yield "gray.jpeg", encoded(photo.convert("L"), "JPEG")
    yield "gray-alpha.png", encoded(sticker().convert("LA"), "PNG")
    for mode in ("I;16", "I", "F"):
        wide = Image.linear_gradient("L").resize(SIZE).convert("I").point(lambda shade: shade * 257)
        yield f"gray-{mode.replace(';', '')}.tiff", encoded(wide.convert(mode), "TIFF")
    yield "gray-16.png", encoded(Image.new("I;16", SIZE, 0x8000), "PNG")
    yield "rgb-16.png", rgb_of_16_bits((0x8000, 0xFFFF, 0))
    yield "lab.tiff", encoded(photo.convert("LAB"), "TIFF")
    cmyk = Image.new("CMYK", SIZE, (255, 0, 0, 0))
    for kind in ("JPEG", "TIFF"):
        yield f"cmyk.{kind.lower()}", encoded(cmyk, kind)
        yield f"cmyk-profile.{kind.lower()}", encoded(cmyk, kind, icc_profile=icc.green_cyan())
    red = Image.new("RGB", SIZE, "red")
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        yield f"swapped.{kind.lower()}", encoded(red, kind, icc_profile=icc.swapped())
    gray = Image.new("L", SIZE, 128)
    yield "linear-gray.png", encoded(gray, "PNG", icc_profile=icc.linear_gray())
    yield "broken-profile.png", encoded(red, "PNG", icc_profile=b"not a profile")
    yield "wrong-profile.png", encoded(red, "PNG", icc_profile=icc.green_cyan())
    yield "large-profile.png", encoded(red, "PNG", icc_profile=bytes(5_000_000))
    note = PngInfo()
    note.add_text("note", "-" * 5_000_000, zip=True)
    yield "large-note.png", encoded(photo, "PNG", pnginfo=note)
    yield "broken-exif.jpeg", encoded(photo, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    yield "phone.mpo", encoded(photo, "MPO", save_all=True, append_images=[red])
    yield "jpeg-and-zip.jpeg", encoded(photo, "JPEG") + b"PK\x03\x04 and so on"
    yield "gif-and-script.gif", encoded(photo, "GIF") + b"=1;alert('hello')"
    yield "one-pixel.png", encoded(Image.new("RGB", (1, 1)), "PNG")
    yield "strip.png", encoded(Image.new("RGB", (3, 20_000)), "PNG")


def _refused() -> Iterator[tuple[str, bytes, str]]:
    for name, data in DISGUISED.items():
        yield name, data, "not_an_image" if data else "empty"
    for kind in STILL:
        whole = encoded(photograph(), kind)
        yield f"cut-off.{kind.lower()}", whole[: len(whole) * 6 // 10], "damaged"
    for name, kind in (("png", "PNG"), ("jpeg", "JPEG"), ("gif", "GIF"), ("webp", "WEBP")):
        yield f"signature.{name}", encoded(photograph(), kind)[:14], "damaged"
    jpeg = encoded(photograph(), "JPEG")
    yield "no-scan.jpeg", jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9", "damaged"
    for side in (13_000, 20_000):
        megapixels = side * side // 1_000_000
        for kind, data in by_hand.sized(side, side):
            yield f"bomb-{megapixels}.{kind}", data, "too_many_pixels"
    for kind, data in by_hand.sized(1, 65_500):
        yield f"strip.{kind}", data, "side_too_long"
    yield "10000-frames.gif", by_hand.gif(10_000), "too_many_frames"
    yield "10000-frames.png", by_hand.apng(10_000), "too_many_frames"
    yield "10000-frames.webp", by_hand.webp(10_000), "too_many_frames"
    yield "900-large-frames.gif", by_hand.gif(900, (1_000, 1_000)), "too_many_frames"


DISGUISED = {
    "empty.jpg": b"",
    "junk.jpg": bytes(range(7, 250)) * 20,
    "svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "svg-with-a-declaration.png": b"<?xml version='1.0'?>\n<svg width='9' height='9'/>",
    "eps.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    "eps-of-dos.jpg": b"\xc5\xd0\xd3\xc6" + struct.pack("<7I", 32, 9, 0, 0, 0, 0, 0xFFFF),
    "pdf.png": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "html.gif": b"<!DOCTYPE html><title>GIF89a</title>",
    "zip.webp": b"PK\x03\x04\x14\0\0\0",
    "wave.webp": b"RIFF\x24\0\0\0WAVEfmt ",
    "photoshop.jpg": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(200),
    "icon.png": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0" + struct.pack("<II", 40, 22) + bytes(40),
    "heic.jpg": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "film.avif": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
}


def rgb_of_16_bits(colour: tuple[int, int, int]) -> bytes:
    row = b"\0" + struct.pack(">3H", *colour) * SIZE[0]
    return by_hand.png(SIZE, row * SIZE[1], depth=16)


GOOD = dict(_good())
REFUSED = {name: (data, code) for name, data, code in _refused()}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in [*GOOD.items(), *((name, data) for name, (data, _) in REFUSED.items())]:
        (folder / name).write_bytes(data)
        print(f"{len(data):>10,}  {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
