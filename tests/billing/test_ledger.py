"""The books: what each event writes, worked by hand, and that nothing is written twice."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from billing import payments, services
from billing.models import (
    Account,
    Invoice,
    InvoiceState,
    Order,
    OrderState,
    Posting,
)
from billing.services.attempts import payment_check
from billing.services.ledger import post
from tests.billing.books import balances, booked
from tests.billing.conftest import SignUpCall, buy, close_and_collect, subscribe
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = datetime(2026, 12, 1, 6, tzinfo=UTC)


class TestPost:
    def test_what_does_not_balance_is_refused(self) -> None:
        with pytest.raises(ValueError, match="does not balance"):
            post(
                key="invoice:1", entries={Account.RECEIVABLE: 100, Account.REVENUE: -99},
                currency="USD", now=FIRST,
            )  # fmt: skip
        assert not Posting.objects.exists()

    def test_the_same_key_again_changes_nothing(self) -> None:
        for amount in (100, 200):
            post(
                key="invoice:1", entries={Account.RECEIVABLE: amount, Account.REVENUE: -amount},
                currency="USD", now=FIRST,
            )  # fmt: skip
        assert booked("invoice:1") == {"receivable": 100, "revenue": -100}


class TestPostings:
    def test_a_purchase_is_owed_and_paid_at_once(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up)
        invoice = Invoice.objects.get()
        assert booked(f"invoice:{invoice.uuid}") == {"receivable": 677, "revenue": -677}
        assert booked(f"payment:{invoice.uuid}:1") == {"stripe": 677, "receivable": -677}
        assert (invoice.amount_paid, invoice.amount_due) == (677, 0)

    def test_a_charge_is_counted_once_however_often_it_is_told(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up)
        close_and_collect(FIRST)
        invoice = Invoice.objects.get(kind="fee")
        payment = invoice.payments.get()
        intent = payments.intent_get(intent_id=payment.payment_intent_id)
        for _ in range(2):
            payment_check(payment=payment, intent=intent, now=FIRST)
        invoice.refresh_from_db()
        assert (invoice.state, invoice.amount_paid) == (InvoiceState.PAID, 29_00)
        assert balances() == {"revenue": -35_77, "stripe": 35_77}

    def test_what_could_not_be_delivered_is_held_until_it_went_back(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        month_ago = timezone.now() - timedelta(days=32)
        order = services.extension_order(
            tenant=sign_up("free", now=month_ago).tenant, pack_code="extra-100", token="",
            actor=None, now=month_ago,
        )  # fmt: skip
        buy(order, now=month_ago)
        services.order_check(order=order, now=timezone.now())
        assert Order.objects.get().state == OrderState.REFUND_DUE
        assert balances() == {"held": -1_00, "stripe": 1_00}
        run_tasks("default")
        assert Order.objects.get().state == OrderState.REFUNDED
        assert balances() == {}
