"""An invoice or credit note as a PDF, in the buyer's language: the same bytes for the same row."""

from django.utils.translation import override

from billing.models import Invoice


def invoice_pdf(invoice: Invoice) -> bytes:
    """Return the PDF of an issued invoice, in the buyer's language."""
    # fpdf2 brings fontTools: a second more for each command, worker and server that starts, of
    # which most never print anything.
    from billing.pdf_invoice import document  # noqa: PLC0415

    with override(invoice.buyer.get("language", "en")):
        return bytes(document(invoice).output())
