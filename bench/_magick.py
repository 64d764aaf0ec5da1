"""The same by ImageMagick, as people use it: a process for each variant, two at once."""

import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from bench._pictures import RECIPES, opened
from conversions.imaging import Format, Recipe

PROGRAMS = ("magick", "convert")  # of version 7 and of version 6
_ENCODERS = {
    Format.JPEG: "-interlace none -sampling-factor 4:2:0 -define jpeg:optimize-coding=false",
    Format.WEBP: "-define webp:method=4",
    Format.AVIF: "-define heic:speed=8",  # which version 6 does not know
    Format.PNG: "-define png:compression-level=6 -define png:compression-filter=5",
}


@cache
def program() -> str | None:
    """Return where ImageMagick is, None where it is not installed.

    Others have a program of that name, too: a part of Windows, for one.
    """
    for path in filter(None, map(shutil.which, PROGRAMS)):
        asked = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
        if asked.stdout.startswith("Version: ImageMagick"):
            return path
    return None


def fan_out(data: bytes) -> Iterable[tuple[Recipe, bytes]]:
    path = program()
    assert path  # noqa: S101  (whoever asks for it has looked)
    width, height = opened(data).size

    def make(recipe: Recipe) -> tuple[Recipe, bytes]:
        command = [path, "-limit", "thread", "1", *_arguments(recipe, height / width)]
        made = subprocess.run(command, input=data, capture_output=True, check=True)
        return recipe, made.stdout

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(make, RECIPES))


def _arguments(recipe: Recipe, shape: float) -> Iterable[str]:
    """Return how to make a variant: stdin to stdout. A JPEG is decoded no larger than needed."""
    assert recipe.width  # noqa: S101
    yield from ("-define", f"jpeg:size={recipe.width}x{round(recipe.width * shape)}", "jpeg:-")
    yield from ("-filter", "Lanczos", "-resize")
    if recipe.height:
        box = f"{recipe.width}x{recipe.height}"
        yield from (f"{box}^", "-gravity", "center", "-extent", box)
    else:
        yield f"{recipe.width}x"
    if recipe.grayscale:
        yield from ("-colorspace", "Gray")
    if recipe.format != Format.PNG:  # where it is level and filter in one
        yield from ("-quality", str(recipe.quality))
    yield from (*_ENCODERS[recipe.format].split(), f"{recipe.format.value}:-")
