"""Refunds to cards: in part and in full, whatever dies, and never more than may go back."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from billing import payments, selectors
from billing.balances import credit_balance, refundable
from billing.models import Invoice, InvoiceState, Payment, PaymentState, Refund, RefundState
from billing.services import invoice_collect
from billing.services.credit import credit_spend
from billing.services.credit_notes import credit_note_issue
from billing.services.refunds import (
    credit_note_refund,
    refund_request,
    refund_send,
    refunds_waiting,
)
from billing.tasks import refunds_sweep
from tenants.errors import Refused
from tenants.models import Tenant
from tests.billing.books import NOW, balances, booked, issued
from tests.billing.conftest import SignUpCall, becomes, deliver, events, stripe_client
from tests.billing.saved_cards import carded
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return carded(sign_up)


@pytest.fixture
def paid(tenant: Tenant) -> Invoice:
    """An invoice of 30.00 that the saved card has paid."""
    invoice = issued(tenant, 30_00)
    assert invoice_collect(invoice=invoice, now=NOW) == PaymentState.SUCCEEDED
    invoice.refresh_from_db()
    return invoice


def credited(invoice: Invoice, amount: int) -> Invoice:
    return credit_note_issue(invoice=invoice, amount=amount, reason="late", actor=None, now=NOW)


def asked(invoice: Invoice, amount: int) -> Refund:
    """Take so much back by a credit note, and ask for it to be paid back."""
    (refund,) = credit_note_refund(credit_note=credited(invoice, amount), actor=None, now=NOW)
    return refund


def note_of(refund: Refund) -> object:
    """Return what the tenant's list of invoices says of a refund."""
    assert refund.credit_note is not None
    note = selectors.invoices(tenant=refund.credit_note.tenant).get(pk=refund.credit_note.pk)
    row = selectors.invoice_row(note)
    assert row["state_label"] == "settled"  # nobody paid it
    return row["note"]


def at_stripe(invoice: Invoice) -> list[int]:
    """Return what Stripe has paid back of an invoice's payment, the first one first."""
    intent = invoice.payments.get().payment_intent_id
    found = stripe_client().v1.refunds.list({"payment_intent": intent})
    return [refund.amount for refund in found.data][::-1]


@pytest.mark.stripe
class TestRefund:
    def test_a_part_and_then_the_rest(self, paid: Invoice, run_tasks: RunTasks) -> None:
        first = asked(paid, 10_00)
        assert note_of(first) == "It is on its way back to the card."
        assert balances() == {"stripe": 30_00, "held": -10_00, "revenue": -20_00}
        run_tasks("default")
        first.refresh_from_db()
        assert (first.state, first.amount) == (RefundState.SUCCEEDED, 10_00)
        assert note_of(first) == "It went back to the card."
        assert booked(f"refund:{first.uuid}") == {"held": 10_00, "stripe": -10_00}
        asked(paid, 20_00)
        run_tasks("default")
        paid.refresh_from_db()
        assert (paid.state, paid.amount_paid, paid.amount_credited) == (InvoiceState.PAID, 0, 30_00)
        assert at_stripe(paid) == [10_00, 20_00]
        assert balances() == {}

    def test_without_credit_nothing_goes_back(self, paid: Invoice) -> None:
        with pytest.raises(Refused):
            refund_request(payment=paid.payments.get(), amount=1, reason="", actor=None, now=NOW)
        credited(paid, 10_00)
        for amount in (10_01, 0, -1):
            with pytest.raises(Refused):
                refund_request(
                    payment=paid.payments.get(), amount=amount, reason="", actor=None, now=NOW
                )

    def test_credit_that_is_spent_does_not_go_back(self, tenant: Tenant, paid: Invoice) -> None:
        note = credited(paid, 10_00)
        credit_spend(invoice=issued(tenant, 8_00), now=NOW)
        (refund,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
        assert refund.amount == 2_00
        assert credit_note_refund(credit_note=note, actor=None, now=NOW) == []

    def test_what_goes_back_cannot_be_spent(self, tenant: Tenant, paid: Invoice) -> None:
        asked(paid, 10_00)
        assert credit_balance(tenant=tenant, currency="USD") == 0
        assert credit_spend(invoice=issued(tenant, 8_00), now=NOW) is None

    def test_what_is_on_its_way_does_not_go_back_once_more(
        self, tenant: Tenant, paid: Invoice
    ) -> None:
        """The tenant has as much credit of another invoice: that is the other card payment's."""
        asked(paid, 10_00)
        other = issued(tenant, 30_00)
        invoice_collect(invoice=other, now=NOW)
        other.refresh_from_db()
        credited(other, 10_00)
        assert credit_balance(tenant=tenant, currency="USD") == 10_00
        spare = {}
        for invoice in (paid, other):
            invoice.refresh_from_db()
            spare[invoice] = refundable(payment=invoice.payments.get(), invoice=invoice)
        assert spare == {paid: 0, other: 10_00}

    def test_two_at_once_never_exceed_the_payment(self, paid: Invoice) -> None:
        credited(paid, 30_00)
        payment = paid.payments.get()
        together = threading.Barrier(2)
        outcomes: list[str] = []

        def ask() -> None:
            together.wait()
            try:
                refund_request(payment=payment, amount=20_00, reason="", actor=None, now=NOW)
                outcomes.append("asked")
            except Refused:
                outcomes.append("refused")
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["asked", "refused"]
        assert Refund.objects.get().amount == 20_00


class TestFaults:
    @pytest.mark.stripe
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=24)])
    def test_dying_around_the_refund_pays_back_once(
        self, paid: Invoice, monkeypatch: pytest.MonkeyPatch, when: str, later: timedelta
    ) -> None:
        refund = asked(paid, 10_00)
        real = payments.refund_create

        def dying(**parameters: Any) -> None:
            if when == "after":
                if later:  # another key stands for one that is forgotten: only metadata can tell
                    parameters["idempotency_key"] = f"forgotten-{refund.uuid}"
                real(**parameters)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(payments, "refund_create", dying)
            with pytest.raises(KeyboardInterrupt):
                refund_send(refund=refund, now=NOW)
        assert refunds_waiting() == [refund]
        for _ in range(2):
            assert refund_send(refund=refund, now=NOW + later) == RefundState.SUCCEEDED
        assert refunds_waiting() == []
        assert at_stripe(paid) == [10_00]
        assert balances() == {"stripe": 20_00, "revenue": -20_00}

    @pytest.mark.stripe
    def test_the_sweep_finishes_what_a_lost_task_left(
        self, paid: Invoice, run_tasks: RunTasks, valkey: str
    ) -> None:
        refund = asked(paid, 10_00)
        refunds_sweep()
        run_tasks("default")  # the request's own task and the sweep's
        refund.refresh_from_db()
        assert refund.state == RefundState.SUCCEEDED
        assert at_stripe(paid) == [10_00]

    def test_webhooks_settle_it_however_often_they_come(
        self, paid: Invoice, run_tasks: RunTasks
    ) -> None:
        refund = asked(paid, 10_00)
        payments.refund_create(
            payment_intent_id=paid.payments.get().payment_intent_id, amount=10_00,
            metadata={"refund": str(refund.uuid)}, idempotency_key=f"refund-{refund.uuid}",
        )  # fmt: skip
        sent = [event for event in events() if event.type in {"refund.created", "charge.refunded"}]
        for event in sent[-1:-3:-1]:
            deliver(event)
        run_tasks("default")
        refund.refresh_from_db()
        assert refund.state == RefundState.SUCCEEDED
        paid.refresh_from_db()
        assert paid.amount_paid == 20_00

    @pytest.mark.stripe
    def test_what_stripe_refuses_is_credit_again_and_says_why(self, paid: Invoice) -> None:
        intent = paid.payments.get().payment_intent_id
        stripe_client().v1.refunds.create({"payment_intent": intent})  # in Stripe's dashboard
        refund = asked(paid, 10_00)
        assert refund_send(refund=refund, now=NOW) == RefundState.FAILED
        refund.refresh_from_db()
        assert "already been refunded" in refund.failure_message
        assert booked(f"refund_failed:{refund.uuid}") == {"held": 10_00, "credit": -10_00}
        assert credit_balance(tenant=paid.tenant, currency="USD") == 10_00

    def test_a_bank_that_sends_it_back_later_makes_it_credit_again(
        self, paid: Invoice, run_tasks: RunTasks
    ) -> None:
        refund = asked(paid, 10_00)
        refund_send(refund=refund, now=NOW)
        refund.refresh_from_db()
        becomes(refund.stripe_id, "failed")
        (told,) = [event for event in events()[-3:] if event.type == "refund.failed"]
        for _ in range(2):
            deliver(told)
            run_tasks("default")
        refund.refresh_from_db()
        paid.refresh_from_db()
        assert (refund.state, refund.failure_message) == (
            RefundState.FAILED, "expired_or_canceled_card",
        )  # fmt: skip
        assert paid.amount_paid == 30_00
        assert balances() == {"stripe": 30_00, "credit": -10_00, "revenue": -20_00}
        payment = Payment.objects.get(invoice=paid)
        assert refundable(payment=payment, invoice=paid) == 10_00
