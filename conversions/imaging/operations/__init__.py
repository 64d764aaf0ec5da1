"""What is done to a variant beside resizing it. A new kind is one class in a file of its own, and
one entry in OPERATIONS, whose order is the order of work.
"""

from collections.abc import Mapping

from conversions.imaging.operations.base import Operation
from conversions.imaging.operations.flatten import Flatten
from conversions.imaging.operations.grayscale import Grayscale
from conversions.imaging.operations.sharpen import Sharpen
from conversions.imaging.operations.watermark import Watermark
from conversions.imaging.recipe import Recipe

__all__ = ["OPERATIONS", "Operation", "operations_of"]

OPERATIONS: tuple[type[Operation], ...] = (Flatten, Sharpen, Watermark, Grayscale)


def operations_of(recipe: Recipe, watermarks: Mapping[str, bytes]) -> tuple[Operation, ...]:
    """Return what a recipe asks for, in the order of work.

    Raise KeyError where it names a watermark that is not given, ValueError where that is none: the
    picture is not to blame.
    """
    asked = (each.of(recipe, watermarks) for each in OPERATIONS)
    return tuple(operation for operation in asked if operation is not None)
