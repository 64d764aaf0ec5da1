"""Paying an open invoice at Checkout: one attempt at a time, whatever dies, from a mail's link."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import payments, services
from billing.models import (
    Customer,
    Invoice,
    InvoiceState,
    Payment,
    PaymentState,
    SavedCard,
    StripeEvent,
)
from billing.proof import prove
from billing.services.bank import bank_transfer_record
from billing.services.credit_notes import credit_note_issue
from billing.services.loose_attempts import attempts_loose
from billing.tasks import attempts_sweep
from tenants.models import Mail, Member, Role, User
from tenants.services.mails import message
from tests.billing.books import write_off
from tests.billing.conftest import (
    BACK,
    DECLINED,
    SignUpCall,
    deliver,
    events_of,
    pay,
    stripe_client,
)
from tests.billing.deaths import killed
from tests.billing.dunned import ASKS, DECLINES, FIRST, GOOD, charges, issue, uncollected, use_card
from tests.billing.saved_cards import carded
from tests.cast import PASSWORD
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
LATER = FIRST + timedelta(hours=2)


def start(invoice: Invoice, now: datetime = LATER) -> str:
    invoice.refresh_from_db()
    return services.invoice_checkout(invoice=invoice, success_url=BACK, cancel_url=BACK, now=now)


def states(invoice: Invoice) -> list[str]:
    return [payment.state for payment in invoice.payments.order_by("attempt")]


class TestCheckout:
    @pytest.mark.parametrize("card", [ASKS, DECLINES, ""])
    def test_another_card_pays_and_is_the_one_charged_from_then_on(
        self, sign_up: SignUpCall, card: str
    ) -> None:
        invoice = uncollected(sign_up, card)
        pay(start(invoice))
        services.invoice_check(invoice=invoice, now=LATER)
        invoice.refresh_from_db()
        assert (invoice.state, invoice.note) == (InvoiceState.PAID, "")
        assert charges(invoice.tenant) == [29_00]
        paid = SavedCard.objects.get(removed_at=None, last_four="4242")
        assert paid.is_default
        assert start(invoice) == ""

    def test_the_last_attempt_can_pay_no_more(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up, ASKS)
        first = invoice.payments.get()
        start(invoice)
        assert payments.intent_get(intent_id=first.payment_intent_id).status == "canceled"
        assert states(invoice) == ["failed", "pending"]

    def test_an_open_page_is_used_again(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        assert start(invoice) == start(invoice)
        assert states(invoice) == ["failed", "pending"]

    def test_a_decline_there_leaves_the_page_open_for_another_card(
        self, sign_up: SignUpCall
    ) -> None:
        invoice = uncollected(sign_up)
        url = start(invoice)
        pay(url, DECLINED)
        for event in events_of(invoice):  # the decline is told by a webhook too
            if event.type == "payment_intent.payment_failed":
                deliver(event)
                stored = StripeEvent.objects.latest("id")
                services.event_process(event=stored, now=LATER)
        services.invoice_check(invoice=invoice, now=LATER)
        assert states(invoice) == ["failed", "pending"]
        invoice.refresh_from_db()
        assert invoice.note.startswith("The bank declined the card.")
        assert start(invoice) == url
        pay(url)
        services.invoice_check(invoice=invoice, now=LATER)
        assert states(invoice) == ["failed", "succeeded"]

    def test_a_retry_closes_the_page_first(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        url = start(invoice)
        use_card(invoice.tenant, GOOD)
        assert services.invoice_retry(invoice=invoice, now=LATER) == PaymentState.SUCCEEDED
        with pytest.raises(httpx.HTTPStatusError):  # it says that it has expired
            pay(url)
        assert states(invoice) == ["failed", "failed", "succeeded"]
        assert charges(invoice.tenant) == [29_00]

    def test_paid_there_just_before_a_retry_nothing_is_charged_twice(
        self, sign_up: SignUpCall
    ) -> None:
        invoice = uncollected(sign_up)
        pay(start(invoice))  # and no webhook has come
        use_card(invoice.tenant, GOOD)
        services.invoice_retry(invoice=invoice, now=LATER)
        invoice.refresh_from_db()
        assert (invoice.state, charges(invoice.tenant)) == (InvoiceState.PAID, [29_00])

    def test_the_next_run_finds_what_no_webhook_told(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        pay(start(invoice))
        assert services.invoice_collect(invoice=invoice, now=LATER) == PaymentState.SUCCEEDED
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.PAID

    @pytest.mark.parametrize("order", [1, -1])
    def test_webhooks_in_any_order_pay_it_once_and_keep_the_card(
        self, sign_up: SignUpCall, order: int
    ) -> None:
        invoice = uncollected(sign_up)
        pay(start(invoice))
        for event in events_of(invoice)[::order]:
            for _twice in range(2):
                deliver(event)
            stored = StripeEvent.objects.get(event_id=event.id)
            services.event_process(event=stored, now=LATER)
        invoice.refresh_from_db()
        assert (invoice.state, invoice.amount_paid) == (InvoiceState.PAID, 29_00)
        assert SavedCard.objects.filter(last_four="4242", removed_at=None).count() == 1


class TestFaults:
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("name", ["checkout_create", "intent_cancel"])
    def test_killed_around_the_start_the_next_click_goes_on(
        self, sign_up: SignUpCall, name: str, when: str
    ) -> None:
        invoice = uncollected(sign_up, ASKS)
        with killed(when, name):
            start(invoice)
        later = LATER + timedelta(minutes=11)  # nobody has the address of what was not noted
        pay(start(invoice, later))
        services.invoice_check(invoice=invoice, now=later)
        invoice.refresh_from_db()
        assert (invoice.state, charges(invoice.tenant)) == (InvoiceState.PAID, [29_00])
        sessions = stripe_client().v1.checkout.sessions.list({"limit": 100}).data
        mine = [
            each.status
            for each in sessions
            if each.metadata and each.metadata.to_dict().get("invoice") == str(invoice.uuid)
        ]
        assert mine.count("complete") == 1

    def test_while_one_is_being_made_another_click_waits(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        start(invoice)
        Payment.objects.filter(state="pending").update(checkout_session_id="", created_at=LATER)
        with pytest.raises(payments.PaymentUnavailable):
            start(invoice, LATER + timedelta(minutes=1))

    def test_given_up_while_it_is_being_made_its_page_is_closed(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        invoice = uncollected(sign_up)
        made: list[payments.CheckoutState] = []
        real = payments.checkout_create

        def slow(**parameters: Any) -> payments.CheckoutState:
            made.append(real(**parameters))
            services.invoice_retry(invoice=invoice, now=LATER + timedelta(minutes=11))
            return made[0]

        monkeypatch.setattr(payments, "checkout_create", slow)
        with pytest.raises(payments.PaymentUnavailable):
            start(invoice)
        assert payments.checkout_get(session_id=made[0].id).status == "expired"

    @pytest.mark.parametrize("is_made", [True, False])
    def test_an_abandoned_page_is_no_try_and_the_card_is_charged(
        self, sign_up: SignUpCall, is_made: bool
    ) -> None:
        invoice = issue(carded(sign_up))  # it is due later
        use_card(invoice.tenant, "")
        start(invoice)
        attempt = invoice.payments.get()
        payments.checkout_expire(session_id=attempt.checkout_session_id)
        if not is_made:  # Stripe's answer was lost
            invoice.payments.update(checkout_session_id="")
        later = LATER + timedelta(hours=1)
        services.collect(now=later)
        services.dun(now=later)
        assert states(invoice) == ["failed"]
        assert not Mail.objects.filter(kind="billing.payment_failed").exists()
        use_card(invoice.tenant, GOOD)
        assert services.collect(now=later).collected == 1
        assert states(invoice) == ["failed", "succeeded"]

    def test_a_card_removed_since_does_not_come_back(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        pay(start(invoice))
        services.invoice_check(invoice=invoice, now=LATER)
        for card in SavedCard.objects.filter(removed_at=None):
            services.card_remove(card=card, now=LATER)
        SavedCard.objects.all().delete()  # as once they are detached
        for event in events_of(invoice):
            deliver(event)
            stored = StripeEvent.objects.get(event_id=event.id)
            services.event_process(event=stored, now=LATER)
        assert not SavedCard.objects.exists()
        assert Customer.objects.get(tenant=invoice.tenant).payment_method_id == ""

    def test_an_abandoned_page_ends_and_is_dunned_on(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        start(invoice)
        attempt = invoice.payments.latest("attempt")
        payments.checkout_expire(session_id=attempt.checkout_session_id)  # as after 24 hours
        services.invoice_collect(invoice=invoice, now=LATER + timedelta(days=1))
        assert states(invoice) == ["failed", "failed"]
        services.dun(now=LATER + timedelta(days=1))
        assert Mail.objects.filter(kind="billing.payment_failed").exists()


class TestLoose:
    """An invoice that was settled otherwise while its page is open, or the bank asks."""

    def transfer(self, invoice: Invoice, amount: int) -> None:
        bank_transfer_record(
            invoice=invoice, amount=amount, reference="T1", received_on=LATER.date(), actor=None,
            now=LATER,
        )  # fmt: skip

    def test_its_page_is_closed(self, sign_up: SignUpCall, run_tasks: RunTasks) -> None:
        invoice = uncollected(sign_up)
        start(invoice)
        self.transfer(invoice, 29_00)
        run_tasks("default")
        page = invoice.payments.get(checkout_session_id__gt="")
        assert payments.checkout_get(session_id=page.checkout_session_id).status == "expired"
        assert page.state == PaymentState.FAILED

    def test_what_a_page_over_too_much_would_pay_is_paid_on_another(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        invoice = uncollected(sign_up)
        start(invoice)
        credit_note_issue(invoice=invoice, amount=9_00, reason="", actor=None, now=LATER)
        run_tasks("default")
        assert states(invoice) == ["failed", "failed"]
        pay(start(invoice))
        services.invoice_check(invoice=invoice, now=LATER)
        assert charges(invoice.tenant) == [20_00]

    @pytest.mark.parametrize("card", [ASKS, DECLINES])
    def test_swept_where_that_was_lost(
        self, sign_up: SignUpCall, run_tasks: RunTasks, card: str
    ) -> None:
        invoice = uncollected(sign_up, card)
        if card == DECLINES:
            pay(start(invoice))  # and no webhook comes
        write_off(invoice, now=LATER)
        assert [payment.invoice for payment in attempts_loose()] == [invoice]
        attempts_sweep()
        run_tasks("default")
        assert not attempts_loose().exists()
        invoice.refresh_from_db()
        assert invoice.amount_paid == (29_00 if card == DECLINES else 0)
        assert prove().is_proved

    def test_a_charge_that_was_not_made_is_not_made_any_more(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        invoice = issue(carded(sign_up))
        with monkeypatch.context() as patched:
            patched.setattr(payments, "intent_create", raising)
            with pytest.raises(payments.PaymentUnavailable):
                services.invoice_collect(invoice=invoice, now=LATER)
        self.transfer(invoice, 29_00)
        attempt = attempts_loose().get()
        for minutes, state in ((1, PaymentState.PENDING), (11, PaymentState.FAILED)):
            now = LATER + timedelta(minutes=minutes)
            assert services.attempt_end(payment=attempt, now=now) == state
        assert charges(invoice.tenant) == []


def raising(**parameters: Any) -> None:
    raise payments.PaymentUnavailable("no answer")


class TestPages:
    @pytest.fixture
    def invoice(self, sign_up: SignUpCall) -> Invoice:
        return uncollected(sign_up, ASKS)

    @pytest.fixture
    def browser(self, invoice: Invoice, owner: User, client: Client) -> Client:
        client.force_login(owner)
        return client

    def address(self, invoice: Invoice, name: str = "pay") -> str:
        return reverse(f"billing-invoice-{name}", args=[invoice.number])

    def test_from_the_mails_link_to_thank_you(self, browser: Client, invoice: Invoice) -> None:
        mail = message(Mail.objects.get(kind="billing.payment_confirm"))
        page = self.address(invoice)
        assert page in mail.body
        shown = browser.get(page).content.decode()
        assert "$29.00" in shown
        assert "The bank wants you to confirm the payment." in shown
        answer = browser.post(self.address(invoice, "checkout"))
        pay(answer["Location"])
        thanks = browser.get(self.address(invoice, "paid"), follow=True).content.decode()
        assert "Paid. Thank you." in thanks
        assert browser.post(self.address(invoice, "checkout"))["Location"] == page

    def test_an_open_invoice_has_its_button_and_a_paid_one_has_none(
        self, browser: Client, invoice: Invoice
    ) -> None:
        page = browser.get(reverse("billing-invoices")).content.decode()
        assert page.count(self.address(invoice)) == 1
        assert page.count("Pay now") == 1  # the purchase before it is paid

    def test_every_page_says_what_is_overdue_and_then_that_keys_are_stopped(
        self, browser: Client, invoice: Invoice
    ) -> None:
        opened = FIRST + timedelta(days=2)
        assert "payment is overdue" not in browser.get(reverse("keys")).content.decode()
        services.dun(now=opened)
        page = browser.get(reverse("keys")).content.decode()
        assert f"Invoice {invoice.number} is unpaid. Your API keys stop on" in page
        for day in range(1, 15):
            services.dun(now=opened + timedelta(days=day))
        assert "Your API keys are stopped" in browser.get(reverse("keys")).content.decode()
        assert "is overdue" in browser.get(reverse("billing")).content.decode()

    def test_strangers_find_nothing_and_developers_pay_nothing(
        self, browser: Client, invoice: Invoice
    ) -> None:
        stranger = User.objects.create_user("charlie@example.org", PASSWORD)
        browser.force_login(stranger)
        assert browser.get(self.address(invoice)).status_code == 404
        Member.objects.create(
            tenant=invoice.tenant, user=stranger, role=Role.DEVELOPER, created_at=timezone.now()
        )
        assert browser.get(self.address(invoice)).status_code == 200
        browser.post(self.address(invoice, "checkout"))
        assert invoice.payments.count() == 1
        assert browser.get("/billing/invoices/2020-000001/pay/").status_code == 404


def test_mails_about_an_unpaid_invoice_read_well_in_japanese(sign_up: SignUpCall) -> None:
    invoice = uncollected(sign_up)
    invoice.tenant.language = "ja"
    invoice.tenant.save()
    services.dun(now=datetime(2026, 12, 1, 7, tzinfo=UTC))
    mail = message(Mail.objects.get(kind="billing.payment_failed"))
    assert mail.subject == f"請求書 {invoice.number} のお支払いを受け取れませんでした"
    assert "カードの残高が足りません。" in mail.body
    assert "2026年12月15日" in mail.body
