"""A size in the making: strips of it, each resized by whichever thread is free."""

import threading
from collections.abc import Mapping, Sequence

from PIL import Image

from conversions.imaging import chroma
from conversions.imaging.operations import Operation
from conversions.imaging.pyramid import Level, Picture, Strip, kernel, strips
from conversions.imaging.recipe import Recipe


class Making:
    """A level that is made of a larger picture."""

    def __init__(
        self, level: Level, parent: Picture, operations: Mapping[Recipe, Sequence[Operation]]
    ) -> None:
        self.level = level
        self.parent = parent
        self.strips = strips(level.box, level.size)
        self._kernel = kernel(parent.box(level.box), level.size, soft=parent.soft)
        shown = [(*variant, operations[variant[0]]) for variant in level.variants]
        self._chroma = None if chroma.is_unseen(shown) else parent.chroma
        self._halved = chroma.is_halved(recipe.format for recipe, _ in level.variants)
        self._left = len(self.strips)
        self._lock = threading.Lock()
        self._wholes: tuple[Image.Image, ...] = ()

    def resize(self, strip: Strip) -> tuple[Image.Image, ...]:
        """Make a strip. If it was the last, return the picture of which further levels are made,
        and last that of which variants are, which is another where chroma is apart.
        """
        box = self.parent.box(strip.box)
        images = [self.parent.image.resize(strip.size, self._kernel, box)]
        if self._chroma:
            seen = chroma.joined(images[0], self._chroma, strip.box, halved=self._halved)
            images = [images[0], seen] if self.level.children else [seen]
        return self._add(strip, images)

    def _add(self, strip: Strip, images: Sequence[Image.Image]) -> tuple[Image.Image, ...]:
        if strip.size == self.level.size:
            return tuple(images)
        with self._lock:
            self._wholes = self._wholes or tuple(self._empty(each) for each in images)
        for whole, image in zip(self._wholes, images, strict=True):
            whole.paste(image, (0, strip.first_row))
        with self._lock:
            self._left -= 1
            return () if self._left else self._wholes

    def _empty(self, strip: Image.Image) -> Image.Image:
        whole = Image.new(strip.mode, self.level.size)
        whole.info = strip.info
        return whole
