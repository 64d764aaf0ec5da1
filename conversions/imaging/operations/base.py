"""What an operation is: the protocol that each of them fulfils."""

from collections.abc import Mapping
from typing import Protocol, Self

from PIL import Image

from conversions.imaging.recipe import Recipe


class Operation(Protocol):
    """A change of a picture that has its final size. It is used by several threads at once."""

    @classmethod
    def of(cls, recipe: Recipe, watermarks: Mapping[str, bytes]) -> Self | None:
        """Return what a recipe asks for; None where it asks for nothing of the kind.

        `watermarks` has the bytes of each that a recipe may name, by its key.
        """

    def apply(self, image: Image.Image) -> Image.Image:
        """Return the picture changed; the one that is given stays as it is.

        It is in RGB or RGBA; in L or LA behind Grayscale, which is the last.
        """
