"""The invoice as a PDF: always the same one, whoever the buyer is."""

import logging
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import transaction

from billing.models import Invoice, InvoiceKind
from billing.pdf import invoice_pdf
from billing.services.invoices import Line, invoice_issue
from tenants.models import Tenant
from tests.cast import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)


def issue(tenant: Tenant, *, lines: int = 1, description: str = "Starter, 2026-12") -> Invoice:
    with transaction.atomic():
        return invoice_issue(
            tenant=tenant,
            kind=InvoiceKind.FEE,
            currency="JPY",
            period=(date(2026, 12, 1), date(2027, 1, 1)),
            lines=[Line(description, 1_000, Decimal("0.3"), 300)] * lines,
            now=NOW,
        )


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def test_it_is_the_same_every_time(cast: Cast) -> None:
    invoice = issue(cast.alice_corp)
    first = invoice_pdf(invoice)
    assert first.startswith(b"%PDF")
    cast.alice_corp.name = "Renamed"
    cast.alice_corp.save()
    assert invoice_pdf(Invoice.objects.get(pk=invoice.pk)) == first


def test_many_lines_go_on_over_the_page(cast: Cast) -> None:
    assert pages(invoice_pdf(issue(cast.alice_corp))) == 1
    assert pages(invoice_pdf(issue(cast.alice_corp, lines=40))) == 3


def test_a_long_text_takes_lines_not_the_amounts_place(cast: Cast) -> None:
    assert pages(invoice_pdf(issue(cast.alice_corp, lines=10))) == 1
    assert pages(invoice_pdf(issue(cast.alice_corp, lines=10, description="long text " * 30))) > 1


def test_the_font_has_japanese(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    cast.alice_corp.name, cast.alice_corp.language = "株式会社 直角骨董ﾃｽﾄ", "ja"
    with caplog.at_level(logging.WARNING, logger="fpdf"):
        invoice_pdf(issue(cast.alice_corp, description="従量課金（十二月分）"))
    assert caplog.text == ""


def test_a_name_beyond_the_font_is_no_failure(cast: Cast) -> None:
    cast.alice_corp.name = "Rocket 🚀 भारत"
    assert invoice_pdf(issue(cast.alice_corp)).startswith(b"%PDF")
