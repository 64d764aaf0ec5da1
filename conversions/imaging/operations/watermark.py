"""Lay a watermark over a variant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from PIL import Image

from conversions.imaging.colour import to_rgb
from conversions.imaging.header import open_picture
from conversions.imaging.recipe import Position, Recipe

_MARGIN = 2  # percent of the variant's shorter side
_PLACES = {  # shares of the room that is left: from the left, from the top
    Position.TOP_LEFT: (0.0, 0.0),
    Position.TOP_RIGHT: (1.0, 0.0),
    Position.CENTRE: (0.5, 0.5),
    Position.BOTTOM_LEFT: (0.0, 1.0),
    Position.BOTTOM_RIGHT: (1.0, 1.0),
}


@dataclass(frozen=True)
class Watermark:
    """`width` and `opacity` are in percent: of the variant's width, and of the mark's own alpha."""

    mark: Image.Image = field(compare=False)
    position: Position
    width: int
    opacity: int

    @classmethod
    def of(cls, recipe: Recipe, watermarks: Mapping[str, bytes]) -> Self | None:
        asked = recipe.watermark
        if asked is None:
            return None
        return cls(_decoded(watermarks[asked.key]), asked.position, asked.width, asked.opacity)

    def apply(self, image: Image.Image) -> Image.Image:
        margin = round(min(image.size) * _MARGIN / 100)
        room = (image.width - 2 * margin, image.height - 2 * margin)
        mark = self._fitted(image.width, room)
        across, down = _PLACES[self.position]
        at = (
            margin + round((room[0] - mark.width) * across),
            margin + round((room[1] - mark.height) * down),
        )
        marked = image.copy()
        if image.mode == "RGBA":
            marked.alpha_composite(mark, at)
        else:
            marked.paste(mark, at, mark)
        return marked

    def _fitted(self, width: int, room: tuple[int, int]) -> Image.Image:
        """Return the mark at its size and opacity: as wide as asked, as far as there is room."""
        scale = min(
            width * self.width / 100 / self.mark.width,
            room[0] / self.mark.width,
            room[1] / self.mark.height,
        )
        size = (max(1, round(self.mark.width * scale)), max(1, round(self.mark.height * scale)))
        fitted = self.mark.resize(size, Image.Resampling.LANCZOS)
        alpha = fitted.getchannel("A")
        fitted.putalpha(alpha.point([round(shade * self.opacity / 100) for shade in range(256)]))
        return fitted


@lru_cache(maxsize=8)
def _decoded(data: bytes) -> Image.Image:
    try:
        image, _header = open_picture(data)
        return to_rgb(image).convert("RGBA")
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError("The preset's watermark cannot be read.") from error
