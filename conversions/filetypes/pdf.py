"""PDFs: the first page becomes a picture.

A page has no pixels of its own. It is drawn just as large as the largest variant needs it, and the
others are made from that, by the imaging. PDFium does the drawing, in another process (pdfium.py).
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGXCPU
from typing import Any, cast

from PIL import Image

from conversions.filetypes.base import Header, Made
from conversions.imaging import FileRefused, Fit, Recipe, make_variants_of

PROGRAM = Path(__file__).with_name("pdfium.py")
MOST_BYTES = 20_000_000
MOST_PAGES = 10_000
MOST_POINTS = 14_400  # a side of a page, in 1/72 inch: the limit that PDF itself sets, 5 metres
MOST_PIXELS = 24_000_000  # of a drawn page: an A4 page, 4096 pixels wide
MOST_SIDE = 16_383
NATURAL = 150 / 72  # pixels a point, where a preset gives neither width nor height
# Of a processor: a machine that is busy with others makes no document too slow.
INSPECT_SECONDS, DRAW_SECONDS = 10, 60

# Readers look for the mark in the first 1024 bytes (PDF 1.7, annex H); at a line's start, we ask.
_MARK, _WITHIN = re.compile(rb"(\A|[\r\n])[\s\0\xef\xbb\xbf]*%PDF-\d"), 1024
_LOCKED = {4, 5}  # PDFium's numbers: a password, and a way of locking that it does not know
_KEPT = (
    "LD_LIBRARY_PATH",
)  # of our surroundings, which have keys in them; Python on Lambda needs it


class PageRecipe(Recipe):
    """A Recipe for the picture of a page."""

    def to_mapping(self) -> dict[str, Any]:
        return {"applies_to": Pdf.code, **super().to_mapping()}


@dataclass(frozen=True)
class _Page:
    """The first page, in points, and how many there are."""

    width: float
    height: float
    pages: int


class Pdf:
    """PDF documents."""

    code = "pdf"

    def recognises(self, data: bytes) -> bool:
        return _MARK.search(data[:_WITHIN]) is not None

    def inspect(self, data: bytes) -> Header:
        page = _measured(data)
        return Header("PDF", max(1, round(page.width)), max(1, round(page.height)), page.pages)

    def recipe(self, values: Mapping[str, Any]) -> PageRecipe:
        return PageRecipe.from_mapping(values)

    def applicable(self, header: Header, recipes: Sequence[object]) -> list[PageRecipe]:
        return [each.for_source(header.format) for each in recipes if isinstance(each, PageRecipe)]

    def plan(self, header: Header, recipes: Sequence[PageRecipe]) -> list[list[PageRecipe]]:
        """Make all at once: what takes long is to draw the page."""
        return [list(recipes)] if recipes else []

    def convert(
        self,
        data: bytes,
        recipes: Sequence[PageRecipe],
        *,
        watermarks: Mapping[str, bytes],
        seconds: float,
    ) -> Generator[tuple[PageRecipe, Made], None, None]:
        started = time.monotonic()
        image = _drawn(data, _size(_measured(data), recipes), seconds)
        left = seconds - (time.monotonic() - started)
        variants = make_variants_of(image, recipes, watermarks=watermarks, seconds=left)
        for recipe, made in variants:
            yield cast("PageRecipe", recipe), Made(made.data, made.width, made.height)


def _measured(data: bytes) -> _Page:
    """Measure the first page, and check all limits."""
    if len(data) > MOST_BYTES:
        raise FileRefused("too_many_bytes", f"A PDF may have {MOST_BYTES // 1_000_000} MB at most.")
    answer, _ = _ask(data, "inspect", INSPECT_SECONDS)
    page = _Page(**answer)
    if not page.pages:
        raise FileRefused("damaged", "The document has no pages.")
    if page.pages > MOST_PAGES:
        raise FileRefused(
            "too_many_pages", f"The document has {page.pages} pages; {MOST_PAGES} are allowed."
        )
    if not (0 < page.width <= MOST_POINTS and 0 < page.height <= MOST_POINTS):
        raise FileRefused("page_too_large", "The first page is too large, or has no size.")
    return page


def _size(page: _Page, recipes: Sequence[Recipe]) -> tuple[int, int]:
    """Return how large the page is drawn, in pixels: as the largest recipe needs it."""
    scale = min(
        max(_scale(page, recipe) for recipe in recipes),
        (MOST_PIXELS / (page.width * page.height)) ** 0.5,
        MOST_SIDE / max(page.width, page.height),
    )
    return max(1, round(page.width * scale)), max(1, round(page.height * scale))


def _scale(page: _Page, recipe: Recipe) -> float:
    """Return how many pixels a point has to be in this variant."""
    sides = ((recipe.width, page.width), (recipe.height, page.height))
    scales = [pixels / points for pixels, points in sides if pixels]
    if not scales:
        return NATURAL
    return max(scales) if recipe.fit in (Fit.COVER, Fit.CROP) else min(scales)


def _drawn(data: bytes, size: tuple[int, int], seconds: float) -> Image.Image:
    _, pixels = _ask(data, "draw", DRAW_SECONDS, *size, patience=seconds)
    return Image.frombytes("RGB", size, pixels)


def _ask(
    data: bytes, command: str, *numbers: int, patience: float | None = None
) -> tuple[dict[str, Any], memoryview]:
    """Run the program; return its answer, and what comes after it. Raise FileRefused.

    `patience` is in seconds; without it, the processor's time is what limits it.
    """
    known = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(PROGRAM), command, *map(str, numbers)],
            input=data,
            capture_output=True,
            timeout=patience,
            env={"PYTHONPATH": os.pathsep.join(sys.path), **known},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_slow() from error
    if done.returncode == -SIGXCPU:
        raise _too_slow()
    if done.returncode > 0 or done.returncode == -SIGKILL:  # ours to mend, or the machine's
        raise RuntimeError(f"{PROGRAM.name} ended with {done.returncode}: {done.stderr[-500:]!r}")
    if done.returncode:
        raise FileRefused("too_complex", "The page is too complex to be drawn, or is damaged.")
    end = done.stdout.index(b"\n")
    answer = json.loads(done.stdout[:end])
    if "error" in answer:
        raise _refusal(answer["error"])
    return answer, memoryview(done.stdout)[end + 1 :]


def _too_slow() -> FileRefused:
    return FileRefused("too_slow", "It takes too long to draw the page.")


def _refusal(error: int) -> FileRefused:
    if error in _LOCKED:
        return FileRefused("locked", "The document is locked with a password.")
    return FileRefused("damaged", "The document is damaged or cut off.")
