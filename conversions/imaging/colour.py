"""Bring any picture to RGB, or to RGBA where something in it is transparent."""

from PIL import Image

_DIRECT = {"RGB", "RGBA", "P"}  # modes in which an embedded profile goes on describing the pixels


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the picture in RGB or RGBA, itself if it is so already. 16-bit gray is scaled.

    An embedded colour profile stays with it only where it still fits: a profile of CMYK or of gray
    says nothing about RGB.
    """
    mode = image.mode
    if mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    has_alpha = mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
    rgb = _converted(image, "RGBA" if has_alpha else "RGB")
    if mode not in _DIRECT:
        rgb.info.pop("icc_profile", None)
    return rgb


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)
