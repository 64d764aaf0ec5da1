"""A program that looks at a PDF, or draws its first page: a process of its own, for each time.

    python pdfium.py inspect 10          < document   writes {"pages", "width", "height"}
    python pdfium.py draw 60 1280 1810   < document   writes {}, and the pixels behind it, in RGB

A document may have a program's worth of loops in it: one of 2,000 bytes can keep PDFium busy for
hours, and have it take all memory there is. Nothing inside a process stops that, so this one has
limits, of memory and of the seconds that it may keep a processor, and its death is for whoever
starts it to explain. Nor is PDFium safe to be called by two threads: here is only one.

Annotations are drawn. Forms are not started, and this PDFium has no JavaScript in it. It is run by
its path, so it imports nothing of ours, and says what it says in one line of JSON: {"error": 4},
a number of PDFium's, where there is no page to look at.
"""

import ctypes
import json
import os
import resource
import sys
from contextlib import suppress
from typing import Any

import pypdfium2.raw as pdfium

# Bytes of address space, of which Python and PDFium themselves take thirty million.
MOST_MEMORY = {"inspect": 500_000_000, "draw": 1_000_000_000}
WHITE = 0xFFFFFFFF


def main(command: str, seconds: str, *size: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))  # SIGXCPU, SIGKILL
    with suppress(ValueError, OSError):  # macOS knows the limit, but does not let it be set
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY[command],) * 2)
    data = sys.stdin.buffer.read()
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not document:
        _say({"error": pdfium.FPDF_GetLastError()})
    elif command == "inspect":
        _say(_inspected(document))
    else:
        width, height = map(int, size)
        page = pdfium.FPDF_LoadPage(document, 0)
        if page:
            _say({})
            sys.stdout.buffer.write(_drawn(page, width, height))
        else:
            _say({"error": pdfium.FPDF_ERR_PAGE})


def _inspected(document: Any) -> dict[str, Any]:
    """Count the pages, and measure the first (in points, turned as it is shown)."""
    pages = pdfium.FPDF_GetPageCount(document)
    size = pdfium.FS_SIZEF()
    if pages and not pdfium.FPDF_GetPageSizeByIndexF(document, 0, size):
        return {"error": pdfium.FPDF_ERR_PAGE}
    return {"pages": pages, "width": size.width, "height": size.height}


def _drawn(page: Any, width: int, height: int) -> ctypes.Array[ctypes.c_ubyte]:
    pixels = (ctypes.c_ubyte * (width * height * 3))()
    format = pdfium.FPDFBitmap_BGR
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, format, pixels, width * 3)
    pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, WHITE)
    flags = pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, flags)
    return pixels


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except MemoryError:
        os.abort()  # as PDFium itself ends where there is none left
