"""Write a moving AVIF. Pillow's writer has no way to be given frames one by one, but takes what
looks like a picture of many frames: so the film is one to it, and is read as it is encoded.
"""

import io
from collections.abc import Iterator
from typing import Any, cast

from PIL import Image

from conversions.imaging.moving.film import Frame, Ticks


def write_avif(frames: Iterator[Frame], settings: dict[str, Any], *, exif: bytes = b"") -> bytes:
    """Return an AVIF of these frames, with the EXIF given and the first's profile; `settings` is
    what Pillow's `save` is told besides. It plays for ever, since Pillow cannot say otherwise. The
    EXIF must have no orientation: Pillow 13.0 crashes on that in a film.
    """
    ticks = Ticks(unit=1, most=2**31 - 1)
    first = next(frames)
    durations = [ticks.of(first.duration)]  # grows as frames are read, and is read after each
    rest = cast("Image.Image", _Rest(frames, ticks, durations))
    out = io.BytesIO()
    colourful(first.image).save(
        out,
        **settings,
        save_all=True,
        append_images=[rest],
        duration=durations,
        exif=exif,
        icc_profile=first.image.info.get("icc_profile"),
    )
    return out.getvalue()


def colourful(image: Image.Image) -> Image.Image:
    """Return a copy in RGB or RGBA: Pillow would look at all frames of gray before it begins."""
    return image.convert("RGBA" if image.mode in {"RGBA", "LA"} else "RGB")


class _Rest:
    """What Pillow asks of a picture of many frames, when it writes an AVIF."""

    def __init__(self, frames: Iterator[Frame], ticks: Ticks, durations: list[int]) -> None:
        self._frames, self._ticks, self._durations = frames, ticks, durations
        self._image = Image.new("RGB", (1, 1))

    def seek(self, _number: int) -> None:
        """Go to the next frame. Raise EOFError behind the last."""
        frame = next(self._frames, None)
        if frame is None:
            raise EOFError
        self._image = colourful(frame.image)
        self._durations.append(self._ticks.of(frame.duration))

    @property
    def mode(self) -> str:
        return self._image.mode

    @property
    def size(self) -> tuple[int, int]:
        return self._image.size

    def tobytes(self, *raw: str) -> bytes:
        return self._image.tobytes(*raw)
