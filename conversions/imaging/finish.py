"""The last steps of a variant that has its size: its canvas, and what else a recipe asks for."""

from collections.abc import Sequence

from PIL import Image, ImageColor

from conversions.imaging.chroma import can_stay_apart
from conversions.imaging.geometry import Geometry, Size
from conversions.imaging.operations import Operation
from conversions.imaging.recipe import Recipe


def finished(
    image: Image.Image, recipe: Recipe, part: Geometry, operations: Sequence[Operation]
) -> Image.Image:
    """Return a variant as it is encoded, from its pixels in RGB, RGBA, RGBa or YCbCr, or in L where
    no more is seen. It may be the image that was given, which is not changed.
    """
    made = image
    if image.mode == "RGBa":
        made = image.convert("RGBA")
    elif image.mode == "YCbCr" and not can_stay_apart(recipe, part, operations):
        made = image.convert("RGB")
    if part.canvas:
        made = _padded(made, part.canvas, recipe.background)
    for operation in operations:
        made = operation.apply(made)
    return made


def _padded(image: Image.Image, canvas: Size, background: str) -> Image.Image:
    ground = Image.new(image.mode, canvas, ImageColor.getcolor(background, image.mode))
    ground.paste(image, ((canvas[0] - image.width) // 2, (canvas[1] - image.height) // 2))
    ground.info = image.info
    return ground
