"""Frames of a GIF, as browsers show them: what no frame has drawn is transparent, also where a
frame was taken away again; and a frame that does not say to take it away stays.
"""

import io
from collections.abc import Iterator

from PIL import Image

from conversions.imaging.moving.film import Film, Frame
from conversions.imaging.moving.gif_blocks import Gif, GifFrame, read_gif, still

_TO_NOTHING, _TO_WHAT_WAS = 2, 3  # disposals


def gif_film(data: bytes) -> Film:
    """Raise FileRefused where the file is damaged."""
    gif = read_gif(data)
    return Film(gif.plays, lambda: _frames(gif, data))


def _frames(gif: Gif, data: bytes) -> Iterator[Frame]:
    canvas = Image.new("RGBA", (gif.width, gif.height))
    for frame in gif.frames:
        before = canvas.copy() if frame.disposal == _TO_WHAT_WAS else canvas
        if frame.width and frame.height:
            _draw(frame, data, canvas)
        yield Frame(canvas, frame.duration)
        if frame.disposal == _TO_NOTHING:
            right, bottom = frame.left + frame.width, frame.top + frame.height
            canvas.paste((0, 0, 0, 0), (frame.left, frame.top, right, bottom))
        canvas = before


def _draw(frame: GifFrame, data: bytes, canvas: Image.Image) -> None:
    with Image.open(io.BytesIO(still(frame, data)), formats=("GIF",)) as drawn:
        mask = None
        if frame.transparent is not None:
            indices = Image.frombytes("L", drawn.size, drawn.tobytes())
            mask = indices.point([0 if index == frame.transparent else 255 for index in range(256)])
        canvas.paste(drawn.convert("RGB"), (frame.left, frame.top), mask)
