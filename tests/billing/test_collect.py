"""Charging the saved card: once per invoice, whatever dies, and again when somebody says so."""

from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.core.management import call_command
from django.test import override_settings
from django.utils.translation import override

from billing import payments, selectors, services
from billing.models import (
    Customer,
    Invoice,
    InvoiceState,
    Payment,
    PaymentState,
)
from billing.services.bank import bank_transfer_record
from tenants.models import Tenant
from tests.billing.books import issued
from tests.billing.conftest import SignUpCall, close_and_collect, stripe_client, subscribe
from tests.billing.deaths import killed
from tests.billing.dunned import FIRST
from tests.billing.months import held, tenant_new
from tests.billing.saved_cards import save

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(shop: None) -> Tenant:
    """On Starter since November, with a card."""
    return starter()


def starter() -> Tenant:
    tenant = tenant_new(plan="starter")
    held(tenant, "starter", "11-24")
    save(tenant)
    return tenant


def said(invoice: Invoice) -> list[object]:
    """Return what the list of invoices says of one in English and in Japanese, whatever the
    tenant's own language is.
    """
    listed = selectors.invoices(tenant=invoice.tenant).get(pk=invoice.pk)
    notes = []
    for language in ("en", "ja"):
        with override(language):
            notes.append(selectors.invoice_row(listed)["note"])
    return notes


def test_a_purchase_has_the_payment_that_paid_it(sign_up: SignUpCall) -> None:
    subscribe(sign_up)
    payment = Payment.objects.get()
    assert (payment.state, payment.amount) == (PaymentState.SUCCEEDED, payment.invoice.total)
    intent = payments.intent_get(intent_id=payment.payment_intent_id)
    assert (intent.status, intent.amount) == ("succeeded", payment.amount)


def test_a_dry_run_says_what_would_be_charged_and_charges_nothing(
    sign_up: SignUpCall, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = subscribe(sign_up, "payg")
    paid, invoice, other = issued(tenant, 1_00), issued(tenant, 8_00), issued(tenant, 30_00)
    issued(tenant, 40)  # too small for a card
    bank_transfer_record(
        invoice=paid, amount=11_00, reference="T1", received_on=FIRST.date(), actor=None, now=FIRST
    )

    def said(*, dry_run: bool) -> list[str]:
        call_command("collect", dry_run=dry_run)
        return capsys.readouterr().out.splitlines()

    assert said(dry_run=True) == [
        f"would: {invoice.number}  Alice Corp  spend credit $8.00",
        f"would: {other.number}  Alice Corp  spend credit $2.00, charge $28.00",
        "2 invoices.",
    ]
    assert not Payment.objects.exclude(method="bank").exists()
    assert said(dry_run=False)[-1] == "2 invoices."
    assert said(dry_run=True) == ["0 invoices."]


def test_credit_that_pays_a_part_is_said_though_there_is_no_card(
    shop: None, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = tenant_new()
    paid, invoice = issued(tenant, 1_00), issued(tenant, 80_00)
    bank_transfer_record(
        invoice=paid, amount=51_00, reference="T1", received_on=FIRST.date(), actor=None, now=FIRST
    )
    for credit in ("would: {}  spend credit", "{}  spent credit"):
        call_command("collect", dry_run=credit.startswith("would"))
        said = credit.format(f"{invoice.number}  Alice Corp")
        assert capsys.readouterr().out == f"{said} $50.00\n1 invoices.\n"
    call_command("collect")
    assert capsys.readouterr().out == "0 invoices.\n"


@pytest.mark.stripe
class TestCollect:
    def test_a_card_that_asks_every_time_leaves_the_invoice_open(self, tenant: Tenant) -> None:
        Customer.objects.update(payment_method_id="pm_card_authenticationRequired")
        Tenant.objects.update(language="ja")
        run = close_and_collect(FIRST)
        assert run.declined == 1
        invoice = Invoice.objects.get(kind="fee")
        assert invoice.state == InvoiceState.OPEN
        assert said(invoice) == [
            "The bank wants you to confirm the payment. Please open it and do so.",
            "銀行がお支払いの本人確認を求めています。お支払いのページを開いて確認してください。",
        ]

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_dying_around_the_charge_charges_once(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        real = payments.intent_create

        def dying(**parameters: object) -> object:
            if when == "after":
                real(**parameters)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        monkeypatch.setattr(payments, "intent_create", dying)
        with pytest.raises(KeyboardInterrupt):
            close_and_collect(FIRST)
        monkeypatch.setattr(payments, "intent_create", real)
        close_and_collect(FIRST)
        invoice = Invoice.objects.get(kind="fee")
        assert invoice.state == InvoiceState.PAID
        assert self.charges(invoice.tenant) == [29_00]

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_day_later_stripe_has_forgotten_the_key_but_not_the_charge(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        real = payments.intent_create

        def dying(**parameters: Any) -> None:
            if when == "after":
                # Another key stands for one that is forgotten: only the metadata can tell.
                real(**{**parameters, "idempotency_key": f"forgotten-{tenant.uuid}"})
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(payments, "intent_create", dying)
            with pytest.raises(KeyboardInterrupt):
                close_and_collect(FIRST)
        close_and_collect(FIRST + timedelta(hours=24))
        assert Invoice.objects.get(kind="fee").state == InvoiceState.PAID
        assert self.charges(tenant) == [29_00]

    def test_a_wrong_key_of_ours_is_no_decline(self, tenant: Tenant) -> None:
        with override_settings(STRIPE_SECRET_KEY="sk_test_rotated"):
            run = close_and_collect(FIRST)
        invoice = Invoice.objects.get(kind="fee")
        assert (run.declined, list(run.failed)) == (0, [invoice.number])
        assert invoice.payments.get().state == PaymentState.PENDING
        assert close_and_collect(FIRST).collected == 1

    def test_another_card_meanwhile_is_not_charged_too(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = payments.intent_create

        def dying(**parameters: Any) -> None:
            real(**parameters)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(payments, "intent_create", dying)
            with pytest.raises(KeyboardInterrupt):
                close_and_collect(FIRST)
        Customer.objects.update(payment_method_id="pm_card_mastercard")
        close_and_collect(FIRST)
        assert Invoice.objects.get(kind="fee").state == InvoiceState.PAID
        assert self.charges(tenant) == [29_00]

    def test_without_a_card_it_waits_and_keeps_nobody_waiting(self, shop: None) -> None:
        poor, rich = starter(), starter()
        Tenant.objects.filter(pk=poor.pk).update(language="ja")
        Customer.objects.filter(tenant=poor).update(payment_method_id="")
        assert close_and_collect(FIRST).collected == 1
        assert Invoice.objects.get(kind="fee", tenant=rich).state == InvoiceState.PAID
        waiting = Invoice.objects.get(kind="fee", tenant=poor)
        assert waiting.state == InvoiceState.OPEN
        assert said(waiting) == [
            "There is no saved card to charge.", "請求できるカードが登録されていません。",
        ]  # fmt: skip
        # A card was saved: the next run needs nobody's help.
        Customer.objects.filter(tenant=poor).update(payment_method_id="pm_card_visa")
        assert close_and_collect(FIRST).collected == 1

    def declined(self, card: str) -> Invoice:
        Customer.objects.update(payment_method_id=card)
        close_and_collect(FIRST)
        close_and_collect(FIRST)  # leaves it to an operator
        invoice = Invoice.objects.get(kind="fee")
        assert (invoice.state, invoice.payments.count()) == (InvoiceState.OPEN, 1)
        Customer.objects.update(payment_method_id="pm_card_visa")
        return invoice

    @pytest.mark.parametrize(
        "card", ["pm_card_authenticationRequired", "pm_card_visa_chargeDeclinedInsufficientFunds"]
    )
    def test_another_try_can_succeed_and_the_first_one_no_more(
        self, tenant: Tenant, card: str
    ) -> None:
        invoice = self.declined(card)
        first = invoice.payments.get()
        assert first.failure_message
        outcome = services.invoice_retry(invoice=invoice, now=FIRST)
        assert outcome == PaymentState.SUCCEEDED
        invoice.refresh_from_db()
        assert (invoice.state, invoice.note) == (InvoiceState.PAID, "")
        assert payments.intent_get(intent_id=first.payment_intent_id).status == "canceled"
        assert services.invoice_retry(invoice=invoice, now=FIRST) is None
        assert self.charges(invoice.tenant) == [29_00]

    @pytest.mark.parametrize("name", ["intent_cancel", "intent_create"])
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_dying_around_another_try_charges_once(
        self, tenant: Tenant, name: str, when: str
    ) -> None:
        invoice = self.declined("pm_card_authenticationRequired")
        with killed(when, name):
            services.invoice_retry(invoice=invoice, now=FIRST)
        services.invoice_retry(invoice=invoice, now=FIRST)
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.PAID
        assert self.charges(invoice.tenant) == [29_00]

    def charges(self, tenant: Tenant) -> list[int]:
        """Return what the tenant's cards were charged, oldest first."""
        customer = Customer.objects.get(tenant=tenant).stripe_id
        client: stripe.StripeClient = stripe_client()
        charges = client.v1.charges.list({"customer": customer, "limit": 100})
        return [charge.amount for charge in charges if charge.paid][::-1]
