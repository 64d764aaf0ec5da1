"""What no event told is looked up by its balance transaction."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from billing import payments
from billing.models import Dispute, Order, OrderState, Payment, RefundState
from billing.payments import StripeDispute, StripeTransaction
from billing.proof import prove
from billing.services import invoice_collect
from billing.services.balance import balance_fetch
from billing.services.disputes import dispute_settle
from billing.services.missed_disputes import disputes_fetch
from tenants.models import Tenant
from tests.billing.balance.conftest import LATER, at_stripe, in_the_books, paid_back
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, issued
from tests.billing.conftest import SignUpCall, buy, stripe_client
from tests.billing.orders import extension

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_no_event_told_is_looked_up_however_old_it_is(
    sign_up: SignUpCall, tenant: Tenant, payment: Payment, bank: Bank
) -> None:
    order = buy(extension(tenant, now=NOW), now=NOW)
    refund = paid_back(payment)
    bank.decide(refund.stripe_id, "failed")
    assert refund.state == RefundState.SUCCEEDED
    run = balance_fetch(now=NOW + timedelta(days=1))
    assert (run.looked_up, run.failed) == (2, {})
    order.refresh_from_db()
    refund.refresh_from_db()
    assert (order.state, refund.state) == (OrderState.FULFILLED, RefundState.FAILED)
    assert in_the_books() == at_stripe()
    assert prove().is_proved
    assert balance_fetch(now=NOW + timedelta(days=1)).looked_up == 0


def test_a_refund_made_in_the_dashboard_is_found_by_it_and_booked(payment: Payment) -> None:
    intent_id = payment.payment_intent_id
    for amount in (10_00, 20_00):
        stripe_client().v1.refunds.create({"payment_intent": intent_id, "amount": amount})
    assert prove().is_proved  # nobody knows yet
    run = balance_fetch(now=LATER)
    assert (run.looked_up, run.failed) == (2, {})
    assert balances()["losses"] == 30_00
    assert in_the_books() == at_stripe()
    assert prove().is_proved
    assert balance_fetch(now=LATER).looked_up == 0


def test_what_an_adjustment_is_of_is_looked_up_too(
    tenant: Tenant, payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe may call what a failed refund brings back an adjustment, as it calls a dispute's."""
    refund = paid_back(payment)
    lost = issued(tenant, 20_00)
    invoice_collect(invoice=lost, now=NOW)
    bank.decide(refund.stripe_id, "failed")
    bank.dispute(lost.payments.get())
    real = payments.transactions_since

    def as_adjustment(**asked: object) -> Iterator[StripeTransaction]:
        for one in real(**asked):  # type: ignore[arg-type]  # as it was asked
            yield replace(one, type=one.type.replace("refund_failure", "adjustment"))

    monkeypatch.setattr(payments, "transactions_since", as_adjustment)
    run = balance_fetch(now=LATER)
    assert (run.looked_up, run.failed) == (2, {})
    refund.refresh_from_db()
    assert (refund.state, Dispute.objects.count()) == (RefundState.FAILED, 1)
    assert in_the_books() == at_stripe()
    assert prove().is_proved
    assert balance_fetch(now=LATER).looked_up == 0


def test_a_dispute_that_a_bank_turns_long_after_it_was_lost_is_found(
    payment: Payment, bank: Bank
) -> None:
    dispute_id = bank.dispute(payment)
    said = vars(payments.dispute_get(dispute_id=dispute_id))
    dispute_settle(found=StripeDispute(**{**said, "status": "lost"}), now=NOW)
    bank.decide(dispute_id, "won")
    year_later = NOW + timedelta(days=365)
    assert balances()["losses"] == 30_00
    assert disputes_fetch(now=year_later).news == []  # it is over, and not listed any more
    run = balance_fetch(now=year_later)
    assert (run.looked_up, run.failed) == (1, {})
    assert "losses" not in balances()
    assert in_the_books() == at_stripe()
    assert prove().is_proved
    assert balance_fetch(now=year_later).looked_up == 0


def test_what_cannot_be_looked_up_is_said_and_stops_nothing_else(
    tenant: Tenant, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [buy(extension(tenant, now=NOW, form=name), now=NOW) for name in ("a", "b")]
    real = payments.intent_get

    def half(*, intent_id: str) -> payments.IntentState:
        intent = real(intent_id=intent_id)
        if intent.metadata.get("order") == str(orders[0].uuid):
            raise payments.PaymentUnavailable("get payment: no answer")
        return intent

    with monkeypatch.context() as patched:
        patched.setattr(payments, "intent_get", half)
        run = balance_fetch(now=LATER)
    assert (run.looked_up, list(run.failed.values())) == (1, ["get payment: no answer"])
    assert balance_fetch(now=LATER).looked_up == 1
    assert set(Order.objects.filter(purpose="extension").values_list("state")) == {("fulfilled",)}
    assert prove().is_proved
