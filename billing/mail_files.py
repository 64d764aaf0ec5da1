"""The files of money that go with mails."""

from collections.abc import Iterator, Mapping
from typing import Any

from billing.models import Invoice
from billing.pdf import invoice_pdf
from tenants.mail_files import MailFile, register

LAST_INVOICES = "billing.last_invoices"


def _invoices(context: Mapping[str, Any]) -> Iterator[MailFile]:
    uuids = [each["uuid"] for each in context["invoices"]]
    for invoice in Invoice.objects.filter(uuid__in=uuids).order_by("year", "sequence"):
        yield MailFile(f"{invoice.number}.pdf", invoice_pdf(invoice), "application/pdf")


register(LAST_INVOICES, _invoices)
