"""The operator's acts on an invoice: said in words first, then confirmed; refused with a reason."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from billing.balances import credit_balance
from billing.models import Invoice, InvoiceKind, Payment, Posting, Refund
from billing.payments import StripeRefund
from billing.services import invoice_collect
from billing.services.adopted_refunds import refund_adopt
from billing.services.credit import credit_spend
from billing.services.credit_notes import credit_note_issue
from tenants.models import AuditEntry, Tenant, User
from tests.billing.books import NOW, issued
from tests.billing.conftest import SignUpCall, subscribe
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return subscribe(sign_up, "payg")


@pytest.fixture
def operator(tenant: Tenant, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    return client


@pytest.fixture
def paid(tenant: Tenant) -> Invoice:
    """An invoice of 30.00 that the saved card has paid."""
    invoice = issued(tenant, 30_00)
    invoice_collect(invoice=invoice, now=NOW)
    return invoice


def texts(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def by_hand(invoice: Invoice, amount: int) -> None:
    """Take into the books that somebody paid so much back at Stripe."""
    payment = invoice.payments.get()
    intent_id = payment.payment_intent_id
    found = StripeRefund("re_by_hand", "succeeded", amount, {}, "", intent_id, "")
    refund_adopt(payment=payment, found=found, now=NOW)


class Act:
    """A form on an invoice's page, filled in as its page shows it."""

    def __init__(self, operator: Client, act: str, invoice: Invoice) -> None:
        self.operator = operator
        self.address = reverse(f"admin:billing_invoice_{act}", args=[invoice.pk])
        page = operator.get(self.address)
        assert page.status_code == 200
        form = page.context["form"]
        self.data = {name: form[name].value() for name in form.fields}
        self.data = {name: value for name, value in self.data.items() if value not in {None, False}}

    def ask(self, **more: object) -> str:
        """Send the form; return what the page then says."""
        self.data |= more
        return texts(self.operator.post(self.address, self.data).content.decode())

    def confirm(self) -> str:
        answer = self.operator.post(self.address, self.data | {"confirmed": "1"}, follow=True)
        return texts(answer.content.decode())


class TestCreditNote:
    def test_nothing_is_done_before_it_is_confirmed(self, operator: Client, paid: Invoice) -> None:
        act = Act(operator, "credit_note", paid)
        assert act.data["line_1"] == 30_00
        said = (
            "A credit note of $10.00 with tax: $0.00 off what is owed, $10.00 back to the card, "
            "$0.00 as credit."
        )
        assert said in act.ask(line_1=10_00, reason="late", pay_back="on")
        assert not Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).exists()
        assert not Refund.objects.exists()
        assert said in act.confirm()
        note = Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE)
        assert (note.total, note.note) == (-10_00, "late")
        assert Refund.objects.get().amount == 10_00
        acts = AuditEntry.objects.filter(action__in=["credit_note.issued", "refund.requested"])
        assert set(acts.values_list("actor__email", flat=True)) == {"operator@example.com"}
        assert acts.count() == 2

    def test_what_the_payer_has_back_already_is_said(self, operator: Client, paid: Invoice) -> None:
        by_hand(paid, 8_00)
        act = Act(operator, "credit_note", paid)
        assert (
            "$0.00 off what is owed, $2.00 back to the card, $0.00 as credit. "
            "The payer has $8.00 of it back already."
        ) in act.ask(line_1=10_00, reason="late", pay_back="on")

    def test_the_same_form_twice_credits_once(self, operator: Client, paid: Invoice) -> None:
        act = Act(operator, "credit_note", paid)
        act.ask(line_1=10_00, reason="late")
        act.confirm()
        assert "The invoice has changed meanwhile" in act.confirm()
        assert Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).count() == 1

    def test_more_than_is_left_is_refused(self, operator: Client, paid: Invoice) -> None:
        act = Act(operator, "credit_note", paid)
        assert "less than or equal to 3000" in act.ask(line_1=30_01, reason="late")
        assert "There is nothing to credit." in act.ask(line_1=0)

    def test_with_a_line_below_zero_all_of_it_can_go(
        self, operator: Client, tenant: Tenant
    ) -> None:
        invoice = issued(tenant, 30_00, -10_00)
        act = Act(operator, "credit_note", invoice)
        act.ask(reason="wrong")
        act.confirm()
        invoice.refresh_from_db()
        assert (invoice.state, invoice.amount_credited) == ("paid", 20_00)


class TestRefund:
    def test_credit_on_the_invoice_goes_back(self, operator: Client, paid: Invoice) -> None:
        credit_note_issue(invoice=paid, amount=10_00, reason="", actor=None, now=NOW)
        act = Act(operator, "refund", paid)
        payment = paid.payments.get()
        assert "more than can be paid back" in act.ask(
            payment=payment.pk, amount=10_01, reason="late"
        )
        assert "$10.00 goes back to the card." in act.ask(amount=10_00)
        act.confirm()
        assert Refund.objects.get().amount == 10_00
        page = operator.get(reverse("admin:billing_refund_changelist")).content.decode()
        assert "$10.00" in page

    def test_without_credit_there_is_nothing_to_choose(
        self, operator: Client, paid: Invoice
    ) -> None:
        act = Act(operator, "refund", paid)
        assert "issue a credit note first" in act.ask(amount=1, reason="late")
        act.confirm()
        assert not Refund.objects.exists()


class TestBankTransfer:
    def test_it_is_recorded_once(self, operator: Client, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00)
        act = Act(operator, "bank_transfer", invoice)
        said = "A transfer of $35.00: $30.00 for this invoice, $5.00 as credit."
        assert said in act.ask(amount=35_00, reference="T1", received_on="2026-11-25")
        assert not Payment.objects.exists()
        assert said in act.confirm()
        assert credit_balance(tenant=tenant, currency="USD") == 5_00
        again = Act(operator, "bank_transfer", invoice)
        answer = again.ask(amount=35_00, reference="T1", received_on="2026-11-25")
        assert "The transfer T1 is recorded already" in answer
        customer = reverse("admin:billing_customer_change", args=[tenant.customer.pk])
        assert "$5.00" in operator.get(customer).content.decode()

    def test_what_it_makes_good_is_no_credit(
        self, operator: Client, tenant: Tenant, paid: Invoice
    ) -> None:
        by_hand(paid, 8_00)
        act = Act(operator, "bank_transfer", paid)
        assert (
            "A transfer of $10.00: $0.00 for this invoice, $2.00 as credit. "
            "$8.00 makes good what the payer got back."
        ) in act.ask(amount=10_00, reference="T1", received_on="2026-11-25")
        act.confirm()
        assert credit_balance(tenant=tenant, currency="USD") == 2_00

    def test_what_is_set_off_of_other_credit_makes_none_below_zero(
        self, operator: Client, tenant: Tenant, paid: Invoice
    ) -> None:
        credit_note_issue(invoice=paid, amount=10_00, reason="", actor=None, now=NOW)
        credit_spend(invoice=issued(tenant, 10_00), now=NOW)
        by_hand(paid, 10_00)  # there is no credit to set it off against
        other = Act(operator, "bank_transfer", issued(tenant, 1_00))
        other.ask(amount=7_00, reference="T1", received_on="2026-11-25")
        other.confirm()
        act = Act(operator, "bank_transfer", paid)
        assert (
            "A transfer of $4.00: $0.00 for this invoice, $0.00 as credit. "
            "$4.00 makes good what the payer got back."
        ) in act.ask(amount=4_00, reference="T2", received_on="2026-11-25")
        act.confirm()
        assert credit_balance(tenant=tenant, currency="USD") == 0

    def test_it_was_not_received_tomorrow(self, operator: Client, tenant: Tenant) -> None:
        act = Act(operator, "bank_transfer", issued(tenant, 30_00))
        answer = act.ask(amount=1, reference="T1", received_on="2999-01-01")
        assert "cannot have come in after today" in answer


class TestWhoMay:
    @pytest.mark.parametrize("act", ["credit_note", "refund", "bank_transfer"])
    def test_staff_without_the_permission_may_not(
        self, client: Client, tenant: Tenant, act: str
    ) -> None:
        invoice = issued(tenant, 30_00)
        staff = User.objects.create_user("staff@example.com", PASSWORD, is_staff=True)
        client.force_login(staff)
        address = reverse(f"admin:billing_invoice_{act}", args=[invoice.pk])
        assert client.get(address).status_code == 403

    def test_what_is_no_invoice_is_not_found(self, operator: Client) -> None:
        assert operator.get(reverse("admin:billing_invoice_refund", args=[0])).status_code == 404


def test_the_pages_show_the_acts_and_the_books(operator: Client, paid: Invoice) -> None:
    page = operator.get(reverse("admin:billing_invoice_change", args=[paid.pk])).content.decode()
    for act in ("credit_note", "refund", "bank_transfer"):
        assert reverse(f"admin:billing_invoice_{act}", args=[paid.pk]) in page
    books = operator.get(reverse("admin:billing_posting_changelist")).content.decode()
    assert f"invoice:{paid.uuid}" in books
    posting = Posting.objects.get(key=f"invoice:{paid.uuid}")
    answer = operator.get(reverse("admin:billing_posting_change", args=[posting.pk]))
    assert "$30.00" in answer.content.decode()
    assert "-$30.00" in answer.content.decode()


def test_amounts_are_money_and_nobody_pays_a_credit_note(operator: Client, paid: Invoice) -> None:
    note = credit_note_issue(invoice=paid, amount=10_00, reason="As agreed", actor=None, now=NOW)
    shown = texts(operator.get(reverse("admin:billing_invoice_changelist")).content.decode())
    assert re.search(r"credit note -\$10\.00 settled .* \$30\.00 paid ", shown)
    page = operator.get(reverse("admin:billing_invoice_change", args=[note.pk])).content.decode()
    assert "As agreed" in texts(page)
    assert "-1000" not in page
