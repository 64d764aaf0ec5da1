"""Bring any picture to RGB, or to RGBA where something in it is transparent; and to sRGB.

RGB without a profile is taken for sRGB, as browsers take it. A profile that is broken, or that is
of other pixels (a CMYK's on RGB), says nothing, and costs no good picture.
"""

import io
import math
from functools import lru_cache
from typing import cast

from PIL import Image, ImageChops, ImageCms

# Profiles by the pixels that they speak of: what ICC.1 (7.2.8) calls their data colour space.
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_MOST_BYTES = 4_000_000  # of a profile that is read, and kept for the next picture
_SRGB = ImageCms.createProfile("sRGB")
_SIXTEEN_BITS = [(value + 128) // 257 for value in range(65_536)]


def to_rgb(image: Image.Image, *, srgb: bool = True) -> Image.Image:
    """Return the picture in RGB or RGBA; itself, without its profile, if it is so already.

    With `srgb` its colours are sRGB's, and there is no profile any more. Without, RGB stays as it
    is, with a profile that fits; all else has to change its colours anyway, and becomes sRGB.
    """
    profile = image.info.get("icc_profile") or b""
    image = _common(image)
    kind = image.mode.removesuffix("A")
    if len(profile) > _MOST_BYTES or kind != _space(profile):
        profile = b""
    elif srgb or kind != "RGB":
        image, profile = _in_srgb(image, profile), b""
    image = _in(image, "RGBA" if image.has_transparency_data else "RGB")
    image.info.pop("icc_profile", None)
    if profile:
        image.info["icc_profile"] = profile
    return image


def is_srgb(image: Image.Image) -> bool:
    """Say whether a picture in RGB has sRGB's colours as it is, whatever its profile."""
    profile = image.info.get("icc_profile") or b""
    if len(profile) > _MOST_BYTES or _space(profile) != "RGB":
        return True
    try:
        return _transform(profile, "RGB") is None
    except ImageCms.PyCMSError:
        return True


def _in(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _common(image: Image.Image) -> Image.Image:
    """Return the picture in L, LA, RGB, RGBA or CMYK, of 8 bits, with its colours as they are."""
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image)
    if image.mode in {"1", "L", "LA", "La"}:
        return _in(image, "LA" if image.has_transparency_data else "L")
    if image.mode == "CMYK":
        return image
    return _in(image, "RGBA" if image.has_transparency_data else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale gray of 16 or 32 bits, or of floats: from 0 to 65,535 or to 1, or else from the least
    to the most that there is.
    """
    if image.mode.startswith("I"):
        wide = _in(image, "I")
        low, high = _extremes(wide)
        if low >= 0 and high <= 65_535:
            return _with_transparency(wide.point(_SIXTEEN_BITS, "L"), wide, image)
    else:
        wide = image
        low, high = _extremes(wide)
        if not (math.isfinite(low) and math.isfinite(high)):
            return wide.convert("L")
        if low >= 0 and high <= 1:
            low, high = 0, 1
    scale = 255 / ((high - low) or 1)
    return wide.convert("F").point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


def _extremes(gray: Image.Image) -> tuple[float, float]:
    return cast("tuple[float, float]", gray.getextrema())


def _with_transparency(gray: Image.Image, wide: Image.Image, image: Image.Image) -> Image.Image:
    """Make transparent what a PNG says is, by one of its 65,536 shades."""
    gray.info.pop("transparency", None)
    shade = image.info.get("transparency")
    if isinstance(shade, int) and 0 <= shade <= 65_535:
        gray.putalpha(wide.point([0 if each == shade else 255 for each in range(65_536)], "L"))
    return gray


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "LA" else None
    plain = image if alpha is None else image.getchannel("L")
    try:
        transform = _transform(profile, plain.mode)
        if transform is None:
            return image
        plain = transform.apply(plain)
    except ImageCms.PyCMSError:
        return image
    if alpha is not None:
        plain.putalpha(alpha)
    return plain


@lru_cache(maxsize=8)
def _space(profile: bytes) -> str:
    """Return the mode of the pixels that a profile fits; none where it cannot be read."""
    try:
        return _SPACES.get(ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space, "")
    except (OSError, ImageCms.PyCMSError):
        return ""


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what brings pixels of a profile to sRGB; None where that would change nothing, as
    with most photographs, whose profile is some sRGB. Raise PyCMSError.
    """
    transform = ImageCms.buildTransform(
        io.BytesIO(profile),
        _SRGB,
        mode,
        "RGBA" if mode == "RGBA" else "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if mode == "CMYK":
        return transform
    probe = _probe().convert(mode)
    changed = ImageChops.difference(transform.apply(probe).convert("RGB"), probe.convert("RGB"))
    extremes = cast("tuple[tuple[int, int], ...]", changed.getextrema())
    return None if all(high <= 1 for _low, high in extremes) else transform


@lru_cache(maxsize=1)
def _probe() -> Image.Image:
    """Return a picture of 16 shades of each colour with each other."""
    shades = range(0, 256, 17)
    colours = [bytes((red, green, blue)) for red in shades for green in shades for blue in shades]
    return Image.frombytes("RGB", (64, 64), b"".join(colours))
