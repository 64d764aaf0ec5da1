"""The invoice as a PDF: always the same one, whoever the buyer is."""

import logging
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest
from django.db import transaction

from billing.lines import Line
from billing.models import ExchangeRate, Invoice, InvoiceKind, LineGroup, TaxDetails
from billing.pdf import invoice_pdf
from billing.services.credit_notes import credit_note_issue
from billing.services.invoices import invoice_issue
from billing.services.taxes import tax_rates_seed
from billing.services.vies import vies_confirm
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


def text_of(pdf: bytes) -> str:
    """Return what a PDF says, as one line."""
    document = pypdfium2.PdfDocument(pdf)
    said = " ".join(page.get_textpage().get_text_bounded() for page in document)
    return " ".join(said.split())


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


def test_signs_are_drawn_as_in_japanese(cast: Cast) -> None:
    """A Chinese cut of the font has 、 in the middle of its square, the Japanese in a corner."""
    pdf = invoice_pdf(issue(cast.alice_corp, description="直、骨"))
    said = pypdfium2.PdfDocument(pdf)[0].get_textpage()
    at = said.get_text_range().index("直、骨")
    left, _, right, _ = said.get_charbox(at)
    comma, _, _, _ = said.get_charbox(at + 1)
    assert comma - right < (right - left) / 4


def test_the_font_has_japanese(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    cast.alice_corp.name, cast.alice_corp.language = "株式会社 直角骨董ﾃｽﾄ", "ja"
    with caplog.at_level(logging.WARNING, logger="fpdf"):
        invoice_pdf(issue(cast.alice_corp, description="従量課金（十二月分）"))
    assert caplog.text == ""


def test_a_name_beyond_the_font_is_no_failure(cast: Cast) -> None:
    cast.alice_corp.name = "Rocket 🚀 भारत"
    assert invoice_pdf(issue(cast.alice_corp)).startswith(b"%PDF")


@pytest.fixture
def japan(settings: Any) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "JP", "T5835678256246"
    settings.ISSUER_TIME_ZONE, settings.ISSUER_BANK = "Asia/Tokyo", "Hakone Bank\\n普通 1234567"
    tax_rates_seed()


def details(tenant: Tenant, country: str, **more: str) -> None:
    TaxDetails.objects.create(tenant=tenant, country=country, saved_at=NOW, **more)


def mixed(tenant: Tenant, currency: str) -> Invoice:
    """Issue an invoice with a line of each group, and two of usage."""
    lines = [
        Line(f"What is for {group}", 3 if group == "usage" else 1, Decimal(333), 333, group)
        for group in LineGroup
    ]
    lines += [Line("What is for more usage", 1, Decimal(1), 1, LineGroup.USAGE)]
    with transaction.atomic():
        return invoice_issue(
            tenant=tenant, kind=InvoiceKind.SUPPLEMENT, currency=currency, lines=lines, now=NOW,
            period=(date(2026, 12, 1), date(2027, 1, 1)),
        )  # fmt: skip


class TestQualified:
    def test_a_japanese_invoice_has_what_the_law_asks_for(self, japan: None, cast: Cast) -> None:
        cast.alice_corp.language = "ja"
        cast.alice_corp.save()
        details(cast.alice_corp, "JP", legal_name="株式会社アリス", address="東京都千代田区1-1",
                reference="PO-7")  # fmt: skip
        said = text_of(invoice_pdf(mixed(cast.alice_corp, "JPY")))
        for needed in (
            "適格請求書", "登録番号: T5835678256246", "発行日: 2026-12-01",
            "請求先 株式会社アリス 御中", "発行者", "取引期間: 2026-12-01 – 2026-12-31",
            "小計 ￥1,999", "消費税 10 %（税抜対価の額 ￥1,999） ￥200",
            "合計 ￥2,199", "支払期限: 2026-12-15", "普通 1234567", "貴社参照番号: PO-7",
            "小計：使用量 ￥334",
        ):  # fmt: skip
            assert needed in said, needed

    def test_dollars_have_their_tax_in_yen_with_rate_day_and_source(
        self, japan: None, cast: Cast
    ) -> None:
        ExchangeRate.objects.create(
            currency="USD", home_currency="JPY", day=date(2026, 11, 30),
            rate=Decimal("151.23"), source="MUFG TTM",
        )  # fmt: skip
        details(cast.alice_corp, "JP", legal_name="Alice K.K.")
        said = text_of(invoice_pdf(mixed(cast.alice_corp, "USD")))
        assert "Qualified invoice 2026-000001" in said
        assert "Consumption tax 10 % on $19.99 $2.00 Total $21.99" in said
        assert (
            "Consumption tax 10 % in JPY, at 151.23 for 1 USD (MUFG TTM, 2026-11-30) ¥302" in said
        )

    @pytest.mark.parametrize(
        ("country", "tax_id"),
        [
            ("US", "T5835678256246"),  # abroad: outside the tax
            ("JP", ""),  # not registered
            ("JP", "JP5835678256246"),  # no registration number of Japan
        ],
    )
    def test_what_is_not_taxed_or_not_of_a_registered_issuer_is_none(
        self, japan: None, settings: Any, cast: Cast, country: str, tax_id: str
    ) -> None:
        settings.ISSUER_TAX_ID = tax_id
        Tenant.objects.update(language="ja")
        details(Tenant.objects.get(pk=cast.alice_corp.pk), country, legal_name="Alice Inc.")
        invoice = mixed(Tenant.objects.get(pk=cast.alice_corp.pk), "JPY")
        note = credit_note_issue(
            invoice=invoice, reason="障害のため", actor=None, now=NOW, amounts={1: 100}
        )
        for issued, title in ((invoice, "請求書 2026-000001"), (note, "返還請求書 2026-000002")):
            said = text_of(invoice_pdf(issued))
            assert title in said
            assert "適格" not in said

    def test_a_return_invoice_names_its_original(self, japan: None, cast: Cast) -> None:
        invoice = mixed(cast.alice_corp, "JPY")
        note = credit_note_issue(
            invoice=invoice, reason="An outage", actor=None, now=NOW, amounts={1: 100}
        )
        pdf = invoice_pdf(note)
        said = text_of(pdf)
        assert "Qualified return invoice 2026-000002" in said
        assert "Corrects invoice: 2026-000001 Issued on: 2026-12-01 Reason: An outage" in said
        assert "Consumption tax 10 % on -¥100 -¥10 Total -¥110" in said
        assert "Amount due" not in said
        assert invoice_pdf(Invoice.objects.get(pk=note.pk)) == pdf
        invoice.refresh_from_db()
        assert "Credited -¥110 Paid ¥0 Amount due ¥2,089" in text_of(invoice_pdf(invoice))


def test_a_reverse_charge_is_explained(settings: Any, cast: Cast) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "DE", "DE136695976"
    tax_rates_seed()
    details(cast.alice_corp, "FR", legal_name="Alice SARL", tax_id="FR40303265045")
    vies_confirm(
        tenant=cast.alice_corp, tax_id="FR40303265045", name="ALICE SARL", address="",
        request_id="WAPI1", actor=None, now=NOW,
    )  # fmt: skip
    said = text_of(invoice_pdf(mixed(cast.alice_corp, "JPY")))
    assert "VAT number: DE136695976" in said
    assert "France Tax number: FR40303265045" in said
    assert "Reverse charge on ¥1,999 ¥0 Total ¥1,999" in said
    assert "the customer is liable for the VAT (Directive 2006/112/EC, Art. 44 and 196)" in said


def test_each_page_says_which_of_how_many_it_is(cast: Cast) -> None:
    document = pypdfium2.PdfDocument(invoice_pdf(issue(cast.alice_corp, lines=60)))
    feet = [page.get_textpage().get_text_bounded() for page in document]
    assert len(feet) > 2
    for number, said in enumerate(feet, start=1):
        assert f"{number} / {len(feet)}" in said
        assert "Invoice 2026-000001" in said
