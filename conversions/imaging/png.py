"""What Pillow leaves to others in a PNG."""

from PIL.PngImagePlugin import PngImageFile

_SCALES = {"L;2": 85, "L;4": 17}  # of shades, to 8 bits


def scale_transparency(image: PngImageFile) -> None:
    """Scale the shade that is transparent, as Pillow scales those of gray of 2 and 4 bits. The
    pixels must not be decoded yet.
    """
    scale = _SCALES.get(str(image.tile[0].args), 0) if image.tile else 0
    if scale and "transparency" in image.info:
        image.info["transparency"] = image.info["transparency"] % (255 // scale + 1) * scale
