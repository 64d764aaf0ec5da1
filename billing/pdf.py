"""An invoice as a PDF: the same bytes for the same invoice, since it says only what was frozen.

The font is Noto Sans CJK from a package of its own, so that names in them can be printed.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from billing.models import Invoice, InvoiceState
from billing.money import display, display_unit

FONT = Path(str(files("cvttf_NotoSansCJK_Regular") / "NotoSansCJKtc-Regular.otf"))
LEFT, WIDTH = 20, 170  # millimetres, on A4
INK, MUTED, RULE = (28, 30, 48), (104, 108, 128), (216, 218, 228)


def invoice_pdf(invoice: Invoice) -> bytes:
    """Return the PDF of an issued invoice, in the buyer's language."""
    with override(invoice.buyer.get("language", "en")):
        return bytes(_document(invoice).output())


def _document(invoice: Invoice) -> FPDF:
    pdf = FPDF(format="A4")
    pdf.set_creation_date(invoice.issued_at)
    pdf.set_title(_("Invoice %(number)s") % {"number": invoice.number})
    pdf.set_margins(LEFT, 22, LEFT)
    pdf.add_font("sans", "", FONT)
    pdf.add_page()
    _head(pdf, invoice)
    _parties(pdf, invoice)
    _lines(pdf, invoice)
    _totals(pdf, invoice)
    return pdf


def _text(pdf: FPDF, size: float, colour: tuple[int, int, int] = INK) -> None:
    pdf.set_font("sans", size=size)
    pdf.set_text_color(*colour)


def _row(pdf: FPDF, left: str, right: str, *, size: float = 10, height: float = 7) -> None:
    """Print a text, over several lines where it is long, and what it comes to."""
    _text(pdf, size)
    wide = WIDTH * 0.7
    needed: Any = pdf.multi_cell(wide, height, left, dry_run=True, output="HEIGHT")
    if pdf.will_page_break(needed):
        pdf.add_page()
    top = pdf.get_y()
    pdf.set_x(LEFT + wide)
    pdf.cell(WIDTH - wide, height, right, align="R")
    pdf.set_xy(LEFT, top)
    pdf.multi_cell(wide, height, left, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _rule(pdf: FPDF) -> None:
    pdf.set_draw_color(*RULE)
    pdf.line(LEFT, pdf.get_y() + 1, LEFT + WIDTH, pdf.get_y() + 1)
    pdf.ln(3)


def _head(pdf: FPDF, invoice: Invoice) -> None:
    _text(pdf, 22)
    pdf.cell(0, 12, _("Invoice"), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    _text(pdf, 10, MUTED)
    issued = f"{invoice.issued_at:%Y-%m-%d}" if invoice.issued_at else ""
    pdf.cell(0, 6, f"{invoice.number}   {issued}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(8)


def _parties(pdf: FPDF, invoice: Invoice) -> None:
    """Print issuer and buyer side by side, as they were at issue."""
    top = pdf.get_y()
    issuer = [invoice.issuer.get("name", ""), invoice.issuer.get("address", "")]
    buyer = [invoice.buyer.get("name", ""), invoice.buyer.get("email", "")]
    bottom = top
    for offset, label, texts in ((0, _("From"), issuer), (WIDTH / 2, _("To"), buyer)):
        pdf.set_xy(LEFT + offset, top)
        _text(pdf, 8, MUTED)
        pdf.cell(WIDTH / 2, 5, label)
        pdf.set_xy(LEFT + offset, top + 5)
        _text(pdf, 10)
        pdf.multi_cell(WIDTH / 2 - 5, 5.5, "\n".join(text for text in texts if text))
        bottom = max(bottom, pdf.get_y())
    pdf.set_xy(LEFT, bottom + 10)


def _lines(pdf: FPDF, invoice: Invoice) -> None:
    _text(pdf, 8, MUTED)
    pdf.cell(WIDTH * 0.7, 5, _("Description"))
    pdf.cell(WIDTH * 0.3, 5, _("Amount"), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    _rule(pdf)
    for line in invoice.lines.all():
        _row(pdf, line.description, display(line.amount, invoice.currency))
        if line.quantity != 1:
            unit = display_unit(line.unit_amount, invoice.currency)
            _text(pdf, 8, MUTED)
            pdf.cell(0, 5, f"{line.quantity:,} × {unit}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    _rule(pdf)


def _totals(pdf: FPDF, invoice: Invoice) -> None:
    if invoice.tax:
        _row(pdf, _("Subtotal"), display(invoice.subtotal, invoice.currency))
        _row(pdf, _("Tax"), display(invoice.tax, invoice.currency))
    _row(pdf, _("Total"), display(invoice.total, invoice.currency), size=13, height=10)
    pdf.ln(4)
    _text(pdf, 9, MUTED)
    if invoice.state == InvoiceState.PAID and invoice.paid_at:
        text = _("Paid on %(day)s.") % {"day": f"{invoice.paid_at:%Y-%m-%d}"}
    else:
        text = _("To be charged to the saved card.")
    pdf.cell(0, 6, text)
