"""PDFs for tests."""

from typing import Any

from fpdf import FPDF


def document(*, size: tuple[float, float] = (210, 297), pages: int = 1, **locked: Any) -> bytes:
    """Return a PDF; `size` is in millimetres, `locked` for set_encryption.

    The left half of a page is red.
    """
    pdf = FPDF(format=size)
    if locked:
        pdf.set_encryption(**locked)
    for _ in range(pages):
        pdf.add_page()
        pdf.set_fill_color(255, 0, 0)
        pdf.rect(0, 0, pdf.w / 2, pdf.h, style="F")
    return bytes(pdf.output())


def of_objects(*objects: bytes) -> bytes:
    """Return a PDF of these objects, numbered from 1; the first is the catalogue."""
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj%b endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + head + table + tail


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<<%b/Length %d>>stream\n%b\nendstream" % (entries, len(content), content)


def bomb(depth: int, fan: int) -> bytes:
    """Return a small PDF whose page draws a rectangle fan ** depth times, by forms in forms."""
    form, box = b"/F Do " * fan, b"/Type/XObject/Subtype/Form/BBox[0 0 300 300]"
    inner = [
        stream(form, box + b"/Resources<</XObject<</F %d 0 R>>>>" % (6 + level))
        for level in range(depth - 1)
    ]
    return of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R"
        b"/Resources<</XObject<</F 5 0 R>>>>>>",
        stream(form),
        *inner,
        stream(b"0 0 10 10 re f", box),
    )
