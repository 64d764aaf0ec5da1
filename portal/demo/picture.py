"""A picture for the story, drawn here so that no file has to be shipped: a lake under a hill."""

import io

from PIL import Image, ImageFilter

SIZE = (2400, 1600)


def photograph() -> bytes:
    """Return a JPEG of 2400 × 1600 pixels with the gradients and the grain of a photograph."""
    sky = Image.linear_gradient("L").resize(SIZE)
    hill = Image.radial_gradient("L").resize(SIZE)
    grain = Image.effect_noise(SIZE, 24).filter(ImageFilter.GaussianBlur(0.6))
    picture = Image.merge("RGB", (hill, sky, grain))
    picture = Image.blend(picture, Image.merge("RGB", (grain, grain, grain)), 0.25)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()
