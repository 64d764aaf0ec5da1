"""Credit notes: what they take back, by the line and by the tax, and never more than is left."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Invoice, InvoiceKind, InvoiceState, InvoiceTax
from billing.proof import prove
from billing.services import invoice_collect
from billing.services.bank import bank_transfer_record
from billing.services.credit_notes import credit_note_issue
from tenants.errors import Refused
from tenants.models import AuditEntry, Tenant
from tests.billing.books import NOW, balances, booked, issued, write_off
from tests.billing.conftest import SignUpCall, subscribe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return subscribe(sign_up, "payg")


def credit(invoice: Invoice, **what: object) -> Invoice:
    note = credit_note_issue(invoice=invoice, reason="late", actor=None, now=NOW, **what)  # type: ignore[arg-type]
    invoice.refresh_from_db()
    return note


def taxed(invoice: Invoice, *, rate: str, tax: int, home_tax: int | None = None) -> None:
    """Make an invoice one that was issued with a tax."""
    Invoice.objects.filter(pk=invoice.pk).update(tax=tax, total=invoice.subtotal + tax)
    invoice.lines.update(tax_rate=Decimal(rate))
    InvoiceTax.objects.filter(invoice=invoice).delete()
    InvoiceTax.objects.create(
        invoice=invoice, name="Tax", rate=Decimal(rate), net=invoice.subtotal, tax=tax,
        home_currency="JPY" if home_tax else "", home_tax=home_tax,
        home_rate=Decimal(150) if home_tax else None, home_rate_on=date(2026, 12, 1),
    )  # fmt: skip
    invoice.refresh_from_db()


class TestAnOpenInvoice:
    def test_it_owes_what_is_left(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00, 70_00)
        note = credit(invoice, amounts={2: 20_00})
        assert (note.kind, note.state, note.corrects_id) == (
            InvoiceKind.CREDIT_NOTE, InvoiceState.PAID, invoice.pk,
        )  # fmt: skip
        assert note.sequence == (invoice.sequence or 0) + 1
        assert (note.subtotal, note.total, note.note) == (-20_00, -20_00, "late")
        assert [(line.position, line.description, line.amount) for line in note.lines.all()] == [
            (2, "Line 2", -20_00)
        ]
        assert (note.buyer, note.issuer) == (invoice.buyer, invoice.issuer)
        assert (invoice.state, invoice.amount_due) == (InvoiceState.OPEN, 80_00)
        assert booked(f"invoice:{note.uuid}") == {"receivable": -20_00, "revenue": 20_00}
        assert invoice_collect(invoice=invoice, now=NOW) == "succeeded"
        assert invoice.payments.get().amount == 80_00

    def test_it_is_closed_where_nothing_is_left(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00, -10_00)
        note = credit(invoice)
        assert sorted(note.lines.values_list("amount", flat=True)) == [-30_00, 10_00]
        assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, 0)
        assert balances() == {}

    def test_the_audit_trail_says_so(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00)
        credit(invoice)
        entry = AuditEntry.objects.get(action="credit_note.issued")
        assert (entry.target, entry.data["amount"]) == (invoice.number, 30_00)


class TestAPaidInvoice:
    def test_it_becomes_credit(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00)
        invoice_collect(invoice=invoice, now=NOW)
        note = credit(invoice, amount=10_00)
        assert booked(f"invoice:{note.uuid}") == {"credit": -10_00, "revenue": 10_00}
        assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, -10_00)
        assert balances() == {"stripe": 30_00, "credit": -10_00, "revenue": -20_00}


class TestAWrittenOffInvoice:
    def test_it_is_less_of_a_loss(self, tenant: Tenant, settings: Any) -> None:
        """Of ¥11,000 4,000 were paid, 7,000 lost. ¥3,300 are credited, then all: 4,000 are left."""
        settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "JP", "T5835678256246"
        invoice = issued(tenant, 3_000, 7_000, currency="JPY")
        bank_transfer_record(
            invoice=invoice, amount=4_000, reference="T1", received_on=NOW.date(), actor=None,
            now=NOW,
        )  # fmt: skip
        write_off(invoice)
        assert balances()["losses"] == 7_000
        note = credit(invoice, amounts={1: 3_000})
        assert booked(f"invoice:{note.uuid}") == {"losses": -3_300, "revenue": 3_000, "tax": 300}
        assert (invoice.state, invoice.amount_due) == (InvoiceState.UNCOLLECTIBLE, 3_700)
        assert prove().is_proved
        note = credit(invoice)
        assert booked(f"invoice:{note.uuid}") == {
            "losses": -3_700, "credit": -4_000, "revenue": 7_000, "tax": 700,
        }  # fmt: skip
        assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, -4_000)
        assert balances() == {"bank": 4_000, "credit": -4_000}
        assert prove().is_proved


class TestRefusals:
    @pytest.mark.parametrize(
        "what",
        [{"amounts": {1: 30_01}}, {"amount": 70_01}, {"amounts": {1: -1}}, {"amounts": {4: 1}},
         {"amount": 0}, {"amounts": {}}, {"amounts": {1: 30_00, 2: 50_00}}],
    )  # fmt: skip
    def test_more_than_is_left_or_nothing(self, tenant: Tenant, what: dict[str, object]) -> None:
        invoice = issued(tenant, 30_00, 50_00, -10_00)
        with pytest.raises(Refused):
            credit(invoice, **what)
        assert Invoice.objects.count() == 1

    def test_what_was_credited_is_gone(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00, 70_00)
        credit(invoice, amounts={1: 20_00})
        with pytest.raises(Refused, match="more than is left"):
            credit(invoice, amounts={1: 10_01})
        assert credit(invoice).total == -80_00
        with pytest.raises(Refused, match="nothing"):
            credit(invoice)

    def test_a_credit_note_is_not_credited(self, tenant: Tenant) -> None:
        note = credit(issued(tenant, 30_00))
        with pytest.raises(Refused):
            credit(note)


class TestTax:
    def test_the_parts_come_to_the_whole(self, tenant: Tenant) -> None:
        """10 % of 105 is 10.5, 11. 35 off leaves 70, whose tax is 7: 4 come back. And so on."""
        invoice = issued(tenant, 105, currency="JPY")
        taxed(invoice, rate="10", tax=11)
        parts = [(note.subtotal, note.tax) for note in (credit(invoice, amount=35),
                 credit(invoice, amount=35), credit(invoice))]  # fmt: skip
        # left: 70 -> 7; 35 -> 3.5, 4; 0 -> 0
        assert parts == [(-35, -4), (-35, -3), (-35, -4)]
        assert (invoice.amount_credited, invoice.amount_due) == (116, 0)

    def test_the_tax_at_home_comes_back_by_the_originals_rate(self, tenant: Tenant) -> None:
        """11.00 of tax is 1,650 yen; a third of it off leaves 7.33, which is 1,100 yen (1099.5)."""
        invoice = issued(tenant, 110_00)
        taxed(invoice, rate="10", tax=11_00, home_tax=1650)
        rows = [credit(invoice, amount=36_70).taxes.get(), credit(invoice).taxes.get()]
        assert [(row.tax, row.home_tax) for row in rows] == [(-3_67, -550), (-7_33, -1100)]

    def test_a_credit_note_takes_the_tax_off_the_books(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 100)
        taxed(invoice, rate="10", tax=10)
        note = credit(invoice, amount=50)
        assert booked(f"invoice:{note.uuid}") == {"receivable": -55, "revenue": 50, "tax": 5}
