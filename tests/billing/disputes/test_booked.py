"""Disputes: noted in any order, twice and late; booked once; shown and told."""

from typing import Any

import pytest
import stripe
from django.test import Client
from django.urls import reverse

from billing import payments
from billing.models import (
    Dispute,
    DisputeStatus,
    EventStatus,
    Invoice,
    InvoiceState,
    Payment,
    StripeEvent,
)
from billing.payments import StripeDispute
from billing.proof import prove
from billing.services import disputes, event_process, ledger
from billing.services.disputes import dispute_settle
from tenants.models import Mail, User
from tenants.services.mails import message
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, booked
from tests.billing.conftest import deliver, events
from tests.billing.disputes.conftest import BEFORE, LOST, TAKEN, settle
from tests.cast import PASSWORD
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


def test_won_whatever_order_the_events_come_in(
    payment: Payment, bank: Bank, run_tasks: RunTasks
) -> None:
    dispute_id = bank.dispute(payment)
    needs_response = payments.dispute_get(dispute_id=dispute_id)
    bank.decide(dispute_id, "won")
    told = [event for event in events() if event.to_dict()["data"]["object"]["id"] == dispute_id]
    assert len(told) == 4
    for event in [*reversed(told), *told]:
        deliver(event)
    for stored in StripeEvent.objects.filter(object_id=dispute_id):
        assert event_process(event=stored, now=NOW) == EventStatus.PROCESSED
    dispute = Dispute.objects.get()
    assert (dispute.status, dispute.payment, dispute.amount) == ("won", payment, 30_00)
    assert balances() == BEFORE
    assert booked(f"dispute:{dispute_id}") == {"disputed": 30_00, "stripe": -30_00}
    assert prove().is_proved
    dispute_settle(found=needs_response, now=NOW)  # an answer from before, come late
    dispute.refresh_from_db()
    assert (dispute.status, dispute.closed_at) == ("won", NOW)
    assert not Mail.objects.filter(kind="billing.dispute_opened").exists()  # it was over already


def test_withdrawn_then_lost(payment: Payment, bank: Bank) -> None:
    dispute_id = bank.dispute(payment)
    settle(dispute_id)
    assert balances() == TAKEN
    assert prove().is_proved
    bank.decide(dispute_id, "lost")
    for _ in range(2):
        settle(dispute_id)
    assert balances() == LOST
    assert prove().is_proved
    invoice = Invoice.objects.get(pk=payment.invoice_id)
    assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, 0)
    # An arbitration turns it, as Stripe may tell still.
    found = payments.dispute_get(dispute_id=dispute_id)
    turned = StripeDispute(**{**vars(found), "status": "won", "reinstated": 30_00})
    dispute_settle(found=turned, now=NOW)
    assert balances() == BEFORE
    assert booked(f"dispute_won:{dispute_id}") == {"losses": -30_00, "stripe": 30_00}
    assert prove().is_proved


@pytest.mark.parametrize(
    ("status", "moved", "withdrawn", "reinstated"),
    [
        ("won", [], 0, 0),
        ("lost", [("usd", -30_00, None), ("usd", 12_00, None)], 30_00, 12_00),
        # Exchanged; of one that is won all comes back, whatever it is worth by then.
        ("won", [("jpy", -4_500, 1.5), ("jpy", 4_400, 1.4667)], 30_00, 30_00),
        ("lost", [("jpy", -4_500, 1.5), ("jpy", 2_200, 1.4667)], 30_00, 15_00),
        ("lost", [("jpy", -4_500, None), ("jpy", 2_200, None)], 30_00, 14_67),
        ("lost", [("jpy", -4_500, 1.5), ("jpy", 4_501, 1.5)], 30_00, 30_00),
    ],
)
def test_what_moved_is_what_its_balance_transactions_say(
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    moved: list[tuple[str, int, float | None]],
    withdrawn: int,
    reinstated: int,
) -> None:
    said: dict[str, Any] = {
        "id": "du_1", "object": "dispute", "status": status, "reason": "general",
        "amount": 30_00, "currency": "usd", "payment_intent": "pi_1", "created": 1_800_000_000,
        "evidence_details": {"due_by": None}, "is_charge_refundable": False,
        "balance_transactions": [
            {
                "id": "txn_1", "type": "adjustment", "currency": currency, "amount": amount,
                "fee": 0, "net": amount, "exchange_rate": rate, "created": 1_800_000_000,
                "available_on": 1_800_000_000,
            }
            for currency, amount, rate in moved
        ],
    }  # fmt: skip
    dispute = stripe.Dispute.construct_from(said, None)
    monkeypatch.setattr("billing.payments.disputes.call", lambda *_asked: dispute)
    found = payments.dispute_get(dispute_id="du_1")
    assert (found.withdrawn, found.reinstated) == (withdrawn, reinstated)
    # The balance says the same, in the currency that was paid in.
    entries = [
        stripe.BalanceTransaction.construct_from({**one, "source": said}, None)
        for one in said["balance_transactions"]
    ]
    monkeypatch.setattr("billing.payments.balance._listed", lambda _params: iter(entries))
    told = payments.transactions_since(since=NOW)
    assert [one.source_amount for one in told] == [-withdrawn, reinstated][: len(moved)]


def test_where_we_die_while_the_books_are_written_nothing_is_noted(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispute_id = bank.dispute(payment)
    bank.decide(dispute_id, "lost")

    def dying(**parameters: object) -> None:
        if str(parameters["key"]).startswith("dispute_lost:"):
            raise OSError("The power is gone.")
        ledger.post(**parameters)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as patched:
        patched.setattr(disputes, "post", dying)
        with pytest.raises(OSError, match="power"):
            settle(dispute_id)
    assert (Dispute.objects.count(), balances()) == (0, BEFORE)
    settle(dispute_id)
    assert balances() == LOST


def test_an_inquiry_takes_nothing_until_it_is_escalated(
    payment: Payment, bank: Bank, run_tasks: RunTasks
) -> None:
    User.objects.create_superuser("operator@example.com", PASSWORD)
    User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)  # sees no money
    dispute_id = bank.dispute(payment, "inquiry")
    for _ in range(2):
        settle(dispute_id)
    assert balances() == BEFORE
    bank.decide(dispute_id, "escalated")
    settle(dispute_id)
    assert balances() == TAKEN
    mails = Mail.objects.filter(kind="billing.dispute_opened")
    assert set(mails.values_list("key", flat=True)) == {
        f"warning_needs_response:{dispute_id}", f"needs_response:{dispute_id}",
    }  # fmt: skip
    sent = message(mails.earliest("id"))
    due_by = Dispute.objects.get().evidence_due_by
    assert due_by is not None
    assert sent.to == ["operator@example.com"]
    assert sent.subject == (
        f"A payment of $30.00 is disputed: answer by {due_by:%Y-%m-%d %H:%M} UTC"
    )
    page = f"https://dashboard.stripe.com/test/payments/{payment.payment_intent_id}"
    assert page in sent.body.splitlines()
    assert f"invoice {payment.invoice.number}." in sent.body
    undated = mails.earliest("id")
    undated.context |= {"due_by": ""}
    told = message(undated)
    assert told.subject == "A payment of $30.00 is disputed"
    assert f"Stripe asks for evidence, and names no day for it:\n\n{page}" in told.body


@pytest.mark.parametrize(
    ("key", "mode"),
    [("sk_test_1", "test/"), ("rk_test_1", "test/"), ("sk_live_1", ""), ("rk_live_1", "")],
)
def test_the_dashboard_is_of_our_keys_mode(settings: Any, key: str, mode: str) -> None:
    settings.STRIPE_SECRET_KEY = key
    page = payments.payment_page(payment_intent_id="pi_1")
    assert page == f"https://dashboard.stripe.com/{mode}payments/pi_1"


def test_an_inquiry_may_become_a_dispute_over_more(payment: Payment, bank: Bank) -> None:
    theirs = payments.dispute_get(dispute_id=bank.dispute(payment))
    inquiry = {"amount": 10_00, "withdrawn": 0, "status": "warning_needs_response"}
    dispute_settle(found=StripeDispute(**{**vars(theirs), **inquiry}), now=NOW)
    dispute_settle(found=theirs, now=NOW)
    assert balances() == TAKEN
    dispute_settle(
        found=StripeDispute(**{**vars(theirs), "amount": 20_00, "withdrawn": 20_00}), now=NOW
    )
    assert Dispute.objects.get().amount == 30_00  # it is booked
    assert prove().is_proved


def test_operators_see_it(payment: Payment, bank: Bank, client: Client) -> None:
    settle(bank.dispute(payment))
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    for name, args in (
        ("dispute_changelist", []), ("payment_changelist", []),
        ("invoice_change", [payment.invoice_id]),
    ):  # fmt: skip
        page = client.get(reverse(f"admin:billing_{name}", args=args))
        assert str(DisputeStatus.NEEDS_RESPONSE.label) in page.content.decode(), name
