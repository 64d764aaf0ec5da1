"""Write a GIF, moving or not.

Each frame has colours of its own, and draws nothing but what has changed since the one before: what
stands still cannot flicker, as it does where Pillow writes frames of different palettes. A pixel of
a GIF is there or is not: what is there by half or more is there in its own colour, so that no edge
gets a fringe, whatever it is laid on.
"""

import io
import struct
from collections.abc import Iterator

from PIL import Image, ImageChops

from conversions.imaging.moving.film import Frame, Ticks
from conversions.imaging.moving.gif_blocks import APPLICATION, CONTROL, EXTENSION, FRAME, read_gif

Size = tuple[int, int]
_STAYS, _TO_NOTHING = 1, 2  # disposals
_ALIKE = 3  # as much may a shade differ and be taken for the same, since lossy sources shimmer
_OPAQUE = [0] * 128 + [255] * 128
_CHANGED = [0] * (_ALIKE + 1) + [255] * (255 - _ALIKE)


def write_gif(frames: Iterator[Frame], plays: int) -> bytes:
    """Return a GIF of these frames."""
    first = next(frames)
    screen = _Screen(first.image.size)
    ticks = Ticks(unit=10, most=65_535)
    screen.draw(first.image, ticks.of(first.duration))
    for frame in frames:
        screen.draw(frame.image, ticks.of(frame.duration))
    return screen.gif(plays)


def encode_gif(image: Image.Image) -> bytes:
    """Return a GIF that does not move."""
    screen = _Screen(image.size, dither=True)
    screen.draw(image, 0)
    return screen.gif(plays=1)


class _Screen:
    """What a viewer has shown so far, and the blocks that made it so.

    Whether a frame is to be taken away again is known only with the next one: so each waits for it.
    """

    def __init__(self, size: Size, *, dither: bool = False) -> None:
        self._size = size
        self._dither = dither
        self._colours = Image.new("RGB", size)
        self._mask = Image.new("L", size)  # where anything is to be seen
        self._waiting: tuple[Image.Image, Image.Image, int] | None = None
        self._blocks: list[bytes] = []

    def draw(self, image: Image.Image, ticks: int) -> None:
        """Show a picture for as many hundredths of a second."""
        colours, mask = _cut(image)
        if ImageChops.subtract(self._mask, mask).getbbox():  # something has to vanish
            self._flush(_TO_NOTHING)
            self._mask = Image.new("L", self._size)
        else:
            self._flush(_STAYS)
        changed = _largest(ImageChops.difference(colours, self._colours)).point(_CHANGED)
        changed = ImageChops.darker(
            mask, ImageChops.lighter(changed, ImageChops.invert(self._mask))
        )
        self._colours.paste(colours, mask=changed)
        self._mask = mask
        self._waiting = (colours, changed, ticks)

    def gif(self, plays: int) -> bytes:
        self._flush(_STAYS)
        head = b"GIF89a" + struct.pack("<HHBBB", *self._size, 0x70, 0, 0)
        if plays != 1:  # it says how often to repeat, after the first time
            repeats = min(plays - 1, 65_535) if plays else 0
            head += bytes((EXTENSION, APPLICATION, 11)) + b"NETSCAPE2.0\x03\x01"
            head += struct.pack("<HB", repeats, 0)
        return b"".join([head, *self._blocks, b";"])

    def _flush(self, disposal: int) -> None:
        """Write the frame that waits. One that is taken away takes the whole screen with it."""
        if self._waiting is None:
            return
        colours, changed, ticks = self._waiting
        whole = (0, 0, *self._size)
        box = whole if disposal == _TO_NOTHING else changed.getbbox() or (0, 0, 1, 1)
        self._blocks.append(
            _blocks(
                _in_palette(colours.crop(box), changed.crop(box), dither=self._dither),
                box[:2],
                disposal=disposal,
                ticks=ticks,
            )
        )


def _cut(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return a picture's colours, and a mask that has no shades between."""
    if image.mode not in {"RGBA", "LA"}:
        return image.convert("RGB"), Image.new("L", image.size, 255)
    return image.convert("RGBA").convert("RGB"), image.getchannel("A").point(_OPAQUE)


def _largest(image: Image.Image) -> Image.Image:
    """Return the largest of a pixel's three shades."""
    red, green, blue = image.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _in_palette(colours: Image.Image, mask: Image.Image, *, dither: bool) -> Image.Image:
    """Return up to 255 colours where the mask is, and a transparent one elsewhere."""
    colours = Image.composite(colours, Image.new("RGB", colours.size), mask)
    few = colours.quantize(255)
    if dither:
        few = colours.quantize(palette=few, dither=Image.Dither.FLOYDSTEINBERG)
    count = int(few.getextrema()[1]) + 1  # type: ignore[arg-type]  # of one channel
    few.putpalette([*(few.getpalette() or [])[: 3 * count], 0, 0, 0])
    few.paste(count, mask=ImageChops.invert(mask))
    few.info = {"transparency": count}
    return few


def _blocks(image: Image.Image, at: tuple[int, int], *, disposal: int, ticks: int) -> bytes:
    """Return a frame's blocks: when and where, its palette, and its pixels as Pillow encodes them.

    Pillow leaves out colours that it thinks unused, unless it is told to optimise nothing.
    """
    out = io.BytesIO()
    image.save(out, format="GIF", optimize=False, interlace=False)
    (frame,) = read_gif(out.getvalue()).frames
    table = 0x80 | (len(frame.palette) // 3).bit_length() - 2
    control = struct.pack("<BHBB", disposal << 2 | 1, ticks, image.info["transparency"], 0)
    place = struct.pack("<HHHHB", *at, *image.size, table)
    return b"".join(
        (
            bytes((EXTENSION, CONTROL, len(control) - 1)) + control,
            bytes((FRAME,)) + place,
            frame.palette,
            out.getvalue()[frame.pixels],
        )
    )
