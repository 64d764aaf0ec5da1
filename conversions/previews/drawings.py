"""Pictures to try presets on, drawn here so that no file has to be shipped; always the same.

What makes encoders and resizing work hard is in them: smooth skies, fine grain, hard edges,
letters, soft transparency, and movement.
"""

import io
import math
import random
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Size = tuple[int, int]

AI, SHU, PAPER, INK = (36, 64, 127), (200, 55, 28), (250, 249, 246), (22, 27, 42)
_ORIENTATION, _TURNED = 0x0112, 6  # the camera was held upright: viewers turn it by 90°


def landscape() -> bytes:
    """Hills behind hills at dawn: a photograph's gradients and grain. A JPEG, 1600 × 1067."""
    size = (1600, 1067)
    picture = _sky(size, top=(58, 92, 160), bottom=(252, 206, 160))
    _glow(picture, centre=(1120, 470), radius=520, colour=(255, 236, 190))
    for number, colour in enumerate(_between((150, 150, 186), (18, 40, 42), steps=5)):
        _hill(picture, number, base=480 + number * 105, colour=colour)
    return _encoded(_grained(picture, seed=1), "JPEG", quality=92)


def portrait() -> bytes:
    """A gate in the water, as tall as a telephone is held: lying in the file, turned by its EXIF.

    A JPEG, 1000 × 1500.
    """
    size = (1000, 1500)
    picture = _sky(size, top=(28, 38, 84), bottom=(244, 150, 108))
    _glow(picture, centre=(500, 880), radius=420, colour=(255, 210, 150))
    sea = _sky((1000, 480), top=(196, 120, 104), bottom=(24, 34, 66))
    picture.paste(sea, (0, 1020))
    draw = ImageDraw.Draw(picture)
    _gate(draw, colour=SHU, shade=(120, 28, 18))
    mirrored = picture.crop((0, 540, 1000, 1020)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirrored = mirrored.filter(ImageFilter.GaussianBlur(3))
    picture.paste(Image.blend(mirrored, picture.crop((0, 1020, 1000, 1500)), 0.55), (0, 1020))
    for y in range(1030, 1500, 9):
        draw.line([(0, y), (1000, y)], fill=(230, 160, 130) if y % 27 == 0 else (60, 60, 96))
    turned = _grained(picture, seed=2).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED
    return _encoded(turned, "JPEG", quality=92, exif=exif)


def emblem() -> bytes:
    """A seal with soft edges and a shadow, on nothing. A PNG with alpha, 900 × 900."""
    size = (900, 900)
    shadow = Image.new("L", size)
    ImageDraw.Draw(shadow).ellipse((110, 130, 810, 830), fill=140)
    picture = Image.new("RGBA", size, (*INK, 0))
    picture.putalpha(shadow.filter(ImageFilter.GaussianBlur(28)))
    seal = Image.new("RGBA", (1800, 1800))
    draw = ImageDraw.Draw(seal)
    draw.ellipse((200, 200, 1600, 1600), fill=(*SHU, 255))
    draw.ellipse((290, 290, 1510, 1510), outline=(*PAPER, 255), width=34)
    for box in ((480, 560, 1320, 660), (560, 780, 1240, 860)):
        draw.rectangle(box, fill=(*PAPER, 255))
    for left in (640, 1060):
        draw.rectangle((left, 560, left + 100, 1340), fill=(*PAPER, 255))
    picture.alpha_composite(seal.resize(size, Image.Resampling.LANCZOS))
    return _encoded(picture, "PNG")


def moving() -> bytes:
    """The sun on its way over the sea, for ever. A GIF of 24 frames, 480 × 320."""
    frames = [frame.quantize(96) for frame in _days((480, 320), count=24)]
    return _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=80, loop=0)


def page() -> bytes:
    """A page of letters, rules and a chart: hard edges, as of a screenshot. A PNG, 1200 × 900."""
    return _encoded(_page(), "PNG")


def document() -> bytes:
    """The same page as a PDF."""
    file = io.BytesIO()
    _page().save(file, "PDF", resolution=150)
    return file.getvalue()


def table() -> bytes:
    """Rows with a heading, as a Japanese Windows writes them: CSV in Shift_JIS, lines in CRLF."""
    rows = ("関所,街道,通行料", "箱根,東海道,120", "碓氷,中山道,90", "新居,東海道,110")
    return "".join(f"{row}\r\n" for row in rows).encode("cp932")


def _sky(size: Size, *, top: Colour, bottom: Colour) -> Image.Image:
    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask)


def _glow(picture: Image.Image, *, centre: Size, radius: int, colour: Colour) -> None:
    light = Image.radial_gradient("L").point(lambda far: max(0, 255 - far * 255 // 180))
    light = light.resize((radius * 2, radius * 2))
    place = (centre[0] - radius, centre[1] - radius)
    picture.paste(Image.new("RGB", light.size, colour), place, light)


def _hill(picture: Image.Image, number: int, *, base: int, colour: Colour) -> None:
    """Draw a ridge of a few waves, with trees that grow smaller the further it is away."""
    waves = [(1 + number, 70), (3 + number * 2, 26), (17 + number * 6, 5 + number)]
    ridge = [
        (x, base + sum(h * math.sin(x * n / 255 + number * 7 + h) for n, h in waves))
        for x in range(0, picture.width + 1, 2)
    ]
    draw = ImageDraw.Draw(picture)
    draw.polygon([*ridge, (picture.width, picture.height), (0, picture.height)], fill=colour)
    chance, height = random.Random(number), 5 + number * 7  # noqa: S311  (a drawing is no secret)
    for x, y in ridge[:: max(2, 7 - number)]:
        tall = height * (0.4 + chance.random())
        draw.polygon([(x - tall / 4, y + 4), (x, y - tall), (x + tall / 4, y + 4)], fill=colour)


def _gate(draw: ImageDraw.ImageDraw, *, colour: Colour, shade: Colour) -> None:
    draw.polygon([(120, 470), (880, 470), (850, 545), (150, 545)], fill=colour)
    draw.rectangle((110, 452, 890, 478), fill=shade)
    draw.rectangle((215, 650, 785, 705), fill=colour)
    draw.rectangle((472, 545, 528, 650), fill=shade)
    for left in (255, 685):
        draw.polygon(
            [(left, 545), (left + 60, 545), (left + 74, 1060), (left - 14, 1060)], fill=colour
        )


def _grained(picture: Image.Image, *, seed: int) -> Image.Image:
    """Add the noise of a sensor, without which encoders have it too easy."""
    noise = random.Random(seed).randbytes(picture.width * picture.height)  # noqa: S311  (as above)
    grain = Image.frombytes("L", picture.size, noise).filter(ImageFilter.GaussianBlur(0.6))
    return Image.blend(picture, Image.merge("RGB", (grain, grain, grain)), 0.07)


def _days(size: Size, *, count: int) -> Iterator[Image.Image]:
    for number in range(count):
        angle = math.pi * number / count
        x, y = round(240 - 260 * math.cos(angle)), round(250 - 200 * math.sin(angle))
        light = math.sin(angle)
        top = (round(30 + 60 * light), round(40 + 90 * light), round(90 + 110 * light))
        frame = _sky(size, top=top, bottom=(250, round(150 + 70 * light), 120))
        draw = ImageDraw.Draw(frame)
        draw.ellipse((x - 34, y - 34, x + 34, y + 34), fill=(255, 240, 200))
        draw.rectangle((0, 250, 480, 320), fill=(24, 52, 92))
        for wave in range(6):
            left = (wave * 97 + number * 20) % 480
            draw.line([(left, 262 + wave * 9), (left + 60, 262 + wave * 9)], fill=(120, 150, 190))
        yield frame


def _page() -> Image.Image:
    picture = Image.new("RGB", (1200, 900), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 1200, 96), fill=AI)
    draw.text((48, 26), "The five stations of the toll road", PAPER, ImageFont.load_default(40))
    lines = "Letters show what a small size and a low quality cost: hairlines, dots and serifs go."
    for number, points in enumerate((28, 22, 18, 14, 11)):
        y = 130 + number * 46
        draw.text((48, y), f"{points} px  {lines}"[:96], INK, ImageFont.load_default(points))
    for number, height in enumerate((120, 210, 90, 300, 240, 180, 330, 270)):
        left = 80 + number * 136
        draw.rectangle((left, 820 - height, left + 84, 820), fill=SHU if number == 6 else AI)
        draw.text((left + 26, 828), str(height), INK, ImageFont.load_default(16))
    for y in range(460, 821, 30):
        draw.line([(48, y), (1152, y)], fill=(215, 210, 200))
    draw.line([(48, 820), (1152, 820)], fill=INK, width=2)
    return picture


def _between(first: Colour, last: Colour, *, steps: int) -> list[Colour]:
    shares = [step / (steps - 1) for step in range(steps)]
    return [
        (
            round(first[0] + (last[0] - first[0]) * share),
            round(first[1] + (last[1] - first[1]) * share),
            round(first[2] + (last[2] - first[2]) * share),
        )
        for share in shares
    ]


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
