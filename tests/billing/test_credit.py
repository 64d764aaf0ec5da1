"""Credit and bank transfers: spent before a card is charged, recorded once."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from billing.balances import credit_balance
from billing.models import Customer, Invoice, InvoiceState, Payment, PaymentMethod, PaymentState
from billing.proof import prove
from billing.services import collect, invoice_collect, invoice_retry
from billing.services.attempts import attempt_note
from billing.services.bank import bank_transfer_record
from billing.services.collect import invoices_to_collect
from billing.services.credit import credit_spend
from tenants.errors import Refused
from tenants.models import Tenant, User
from tests.billing.books import NOW, balances, booked, issued
from tests.billing.conftest import SignUpCall, subscribe
from tests.billing.dunned import ASKS, DECLINES, use_card

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return subscribe(sign_up, "payg")


def transfer(invoice: Invoice, amount: int, reference: str = "T1") -> Payment:
    payment = bank_transfer_record(
        invoice=invoice, amount=amount, reference=reference, received_on=NOW.date(), actor=None,
        now=NOW,
    )  # fmt: skip
    invoice.refresh_from_db()
    return payment


class TestBankTransfer:
    def test_in_parts_and_what_is_over_is_credit(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00)
        transfer(invoice, 10_00)
        assert (invoice.state, invoice.amount_due) == (InvoiceState.OPEN, 20_00)
        second = transfer(invoice, 25_00, "T2")
        assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, -5_00)
        assert booked(f"payment:{invoice.uuid}:{second.attempt}") == {
            "bank": 25_00, "receivable": -20_00, "credit": -5_00,
        }  # fmt: skip
        transfer(invoice, 1_00, "T3")
        assert credit_balance(tenant=tenant, currency="USD") == 6_00

    def test_the_same_reference_twice_is_refused(self, tenant: Tenant) -> None:
        first, second = issued(tenant, 30_00), issued(tenant, 30_00)
        transfer(first, 30_00)
        for invoice in (first, second):
            with pytest.raises(Refused, match=f"is recorded already, for invoice {first.number}"):
                transfer(invoice, 30_00, " T1 ")

    @pytest.mark.parametrize(("amount", "reference"), [(0, "T1"), (-1, "T1"), (1, " ")])
    def test_it_has_an_amount_and_a_reference(
        self, tenant: Tenant, amount: int, reference: str
    ) -> None:
        with pytest.raises(Refused):
            transfer(issued(tenant, 30_00), amount, reference)

    def test_it_does_not_come_in_tomorrow(self, tenant: Tenant) -> None:
        with pytest.raises(Refused, match="after today"):
            bank_transfer_record(
                invoice=issued(tenant, 30_00), amount=1, reference="T1",
                received_on=NOW.date() + timedelta(days=1), actor=None, now=NOW,
            )  # fmt: skip

    def test_the_card_pays_what_the_bank_did_not(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00)
        transfer(invoice, 10_00)
        assert list(invoices_to_collect()) == [invoice]
        assert invoice_collect(invoice=invoice, now=NOW) == PaymentState.SUCCEEDED
        paid = list(invoice.payments.order_by("attempt").values_list("method", "amount"))
        assert paid == [("bank", 10_00), ("card", 20_00)]


class TestCredit:
    def with_credit(self, tenant: Tenant, amount: int) -> None:
        transfer(issued(tenant, 1_00), 1_00 + amount, "T0")

    def test_it_pays_before_the_card_does(self, tenant: Tenant) -> None:
        self.with_credit(tenant, 10_00)
        invoice = issued(tenant, 30_00)
        assert invoice_collect(invoice=invoice, now=NOW) == PaymentState.SUCCEEDED
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.PAID
        paid = list(invoice.payments.order_by("attempt").values_list("method", "amount"))
        assert paid == [("credit", 10_00), ("card", 20_00)]
        assert balances() == {"bank": 11_00, "stripe": 20_00, "revenue": -31_00}

    def test_where_it_is_enough_no_card_is_needed(self, tenant: Tenant) -> None:
        self.with_credit(tenant, 50_00)
        Customer.objects.filter(tenant=tenant).update(payment_method_id="")
        invoice = issued(tenant, 30_00)
        assert invoice_collect(invoice=invoice, now=NOW) == PaymentState.SUCCEEDED
        assert invoice.payments.get().method == PaymentMethod.CREDIT
        assert credit_balance(tenant=tenant, currency="USD") == 20_00

    def test_it_settles_what_is_too_small_for_a_card(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 12)
        assert invoice_collect(invoice=invoice, now=NOW) is None
        assert not invoice.payments.exists()
        self.with_credit(tenant, 10_00)
        assert list(invoices_to_collect()) == [invoice]
        assert invoice_collect(invoice=invoice, now=NOW) == PaymentState.SUCCEEDED
        assert invoice.payments.get().method == PaymentMethod.CREDIT

    def test_other_currencies_are_not_spent(self, tenant: Tenant) -> None:
        self.with_credit(tenant, 50_00)
        assert credit_spend(invoice=issued(tenant, 30_00, currency="JPY"), now=NOW) is None

    def test_while_a_charge_is_under_way_nothing_is_spent(self, tenant: Tenant) -> None:
        Customer.objects.filter(tenant=tenant).update(
            payment_method_id="pm_card_authenticationRequired"
        )
        invoice = issued(tenant, 30_00)
        assert invoice_collect(invoice=invoice, now=NOW) == PaymentState.NEEDS_ACTION
        self.with_credit(tenant, 10_00)
        assert credit_spend(invoice=invoice, now=NOW) is None
        # Another try, by another card, takes it into account.
        Customer.objects.filter(tenant=tenant).update(payment_method_id="pm_card_visa")
        assert invoice_retry(invoice=invoice, now=NOW) == PaymentState.SUCCEEDED
        paid = invoice.payments.filter(state=PaymentState.SUCCEEDED).order_by("attempt")
        assert list(paid.values_list("method", "amount")) == [("credit", 10_00), ("card", 20_00)]

    def test_it_pays_what_the_card_did_not(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00)
        use_card(tenant, DECLINES)
        assert collect(now=NOW).declined == 1
        assert list(invoices_to_collect()) == []
        self.with_credit(tenant, 10_00)
        assert list(invoices_to_collect()) == [invoice]
        collect(now=NOW)
        invoice.refresh_from_db()
        assert (invoice.amount_due, list(invoices_to_collect())) == (20_00, [])
        assert invoice.payments.filter(method=PaymentMethod.CARD).count() == 1

    def test_an_attempt_before_the_last_does_not_keep_it_back(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00)
        for use in (ASKS, DECLINES):
            use_card(tenant, use)
            invoice_retry(invoice=invoice, now=NOW)
        first = invoice.payments.earliest("attempt")
        # What Stripe said before it was cancelled comes late: it is over, and stays so.
        attempt_note(payment=first, state=PaymentState.NEEDS_ACTION, now=NOW)
        first.refresh_from_db()
        assert first.state == PaymentState.FAILED
        Payment.objects.filter(pk=first.pk).update(state=PaymentState.NEEDS_ACTION)
        self.with_credit(tenant, 10_00)
        assert credit_spend(invoice=invoice, now=NOW) is not None
        # It did succeed after all: what it paid too much is credit.
        Payment.objects.filter(pk=first.pk).update(state=PaymentState.FAILED)
        attempt_note(payment=first, state=PaymentState.SUCCEEDED, now=NOW)
        assert credit_balance(tenant=tenant, currency="USD") == 10_00
        assert prove().is_proved

    def test_the_page_shows_it(self, tenant: Tenant, client: Client, owner: User) -> None:
        client.force_login(owner)
        page = reverse("billing")
        assert "It is used for your next invoices" not in client.get(page).content.decode()
        self.with_credit(tenant, 12_34)
        shown = client.get(page).content.decode()
        assert "It is used for your next invoices" in shown
        assert "$12.34" in shown
