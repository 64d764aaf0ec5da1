"""One way of making the variants, as a program: `python -m bench._fan_outs WAY`

Reads a line with a file's name and, maybe, a directory; makes the variants, bytes in, bytes out;
and answers with a line of JSON: how many milliseconds it took, and by how many bytes the process
had to grow for it, at most. In the directory, if there is one, it puts the variants.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path

from PIL import Image, ImageOps

from bench import _magick
from bench._pictures import HERE, LANCZOS, RECIPES, opened, reference
from conversions.imaging import Format, Recipe, make_variants
from conversions.imaging.encode import encode

Made = Iterable[tuple[Recipe, bytes]]
pool = ThreadPoolExecutor(2)


def ours(data: bytes) -> Made:
    return [(recipe, variant.data) for recipe, variant in make_variants(data, RECIPES)]


def naive(data: bytes) -> Made:
    return [(recipe, _naive(data, recipe)) for recipe in RECIPES]


def _naive(data: bytes, recipe: Recipe) -> bytes:
    image = opened(data)
    if recipe.width and recipe.height:
        scale = max(recipe.width / image.width, recipe.height / image.height)
        image.thumbnail((round(image.width * scale), round(image.height * scale)), LANCZOS)
        image = ImageOps.fit(image, (recipe.width, recipe.height), LANCZOS)
    else:
        image.thumbnail((recipe.width or 0, image.height), LANCZOS)
    return encode(image.convert("L") if recipe.grayscale else image, recipe, threads=2)


def floor(data: bytes) -> Made:
    """Decode at half the size, and encode what was resized long before, on two threads."""
    image = opened(data)
    image.draft("RGB", (image.width // 2, image.height // 2))
    image.load()
    ready = [(each, picture.copy()) for each, picture in _ready(data)]
    return list(pool.map(lambda pair: (pair[0], encode(pair[1], pair[0])), ready))


@cache
def _ready(data: bytes) -> list[tuple[Recipe, Image.Image]]:
    dearest = {Format.WEBP: 80, Format.AVIF: 160, Format.PNG: 100, Format.JPEG: 4}
    full = opened(data).convert("RGB")
    made = [(recipe, reference(full, recipe)) for recipe in RECIPES]
    made.sort(key=lambda pair: -dearest[pair[0].format] * pair[1].width * pair[1].height)
    return [(each, picture.convert("L") if each.grayscale else picture) for each, picture in made]


def vips(data: bytes) -> Made:
    sys.path.append(str(HERE / "python"))
    pyvips = import_module("pyvips")  # in var/bench, if anywhere

    suffixes = {
        Format.JPEG: ".jpg[Q={0},optimize_coding=false]",
        Format.WEBP: ".webp[Q={0},effort=4]",
        Format.AVIF: ".avif[Q={0},effort=1,subsample_mode=on]",  # libheif's name for speed 8
        Format.PNG: ".png[compression=6]",
    }

    def make(recipe: Recipe) -> tuple[Recipe, bytes]:
        crop = {"height": recipe.height, "crop": "centre"} if recipe.height else {"height": 10**7}
        image = pyvips.Image.thumbnail_buffer(data, recipe.width, **crop)
        image = image.colourspace("b-w") if recipe.grayscale else image
        return recipe, image.write_to_buffer(suffixes[recipe.format].format(recipe.quality))

    return list(pool.map(make, RECIPES))


WAYS: dict[str, Callable[[bytes], Made]] = {
    "ours": ours,
    "naive": naive,
    "floor": floor,
    "vips": vips,
    "magick": _magick.fan_out,
}


def main() -> None:
    way = WAYS[sys.argv[1]]
    idle = _most_memory()
    for line in sys.stdin:
        name, *directory = line.split("\t")
        data = Path(name.strip()).read_bytes()
        if way is floor:
            _ready(data)
        begun = time.perf_counter()
        made = way(data)
        milliseconds = (time.perf_counter() - begun) * 1_000
        for recipe, encoded in made if directory else ():
            Path(directory[0].strip(), recipe.code).write_bytes(encoded)
        answer = {"milliseconds": milliseconds, "grown": _most_memory() - idle}
        print(json.dumps(answer), flush=True)


def _most_memory() -> int:
    """Return how many bytes were resident at most. (getrusage says what the parent had, too.)"""
    status = Path("/proc/self/status")
    if not status.exists():  # not on macOS
        return 0
    (line,) = (each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1_024


if __name__ == "__main__":
    main()
