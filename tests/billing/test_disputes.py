"""Disputes: noted in any order, twice and late; booked once; shown, told, and not refunded."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import payments, selectors
from billing.balances import credit_balance
from billing.models import (
    BalanceTransaction,
    Dispute,
    DisputeStatus,
    EventStatus,
    Invoice,
    InvoiceState,
    Order,
    OrderState,
    Payment,
    RefundState,
    SetOff,
    StripeEvent,
    StripeList,
    UnowedRefund,
)
from billing.payments import StripeDispute, StripeRefund
from billing.proof import prove
from billing.proof.cash import differences
from billing.services import (
    disputes,
    event_process,
    invoice_collect,
    ledger,
    missed_disputes,
)
from billing.services.bank import bank_transfer_record
from billing.services.credit import credit_spend
from billing.services.credit_notes import credit_note_issue
from billing.services.cursors import cursor_reached
from billing.services.disputes import dispute_settle
from billing.services.look_ups import refunds_note
from billing.services.missed_disputes import disputes_fetch
from billing.services.order_refunds import order_refund, order_refund_settle
from billing.services.refunds import credit_note_refund, refund_request, refund_send
from portal.local.payments.server import LocalPayments
from tenants.errors import Refused
from tenants.models import AuditEntry, Mail, Tenant, User
from tenants.services.mails import message
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, booked, issued
from tests.billing.conftest import SignUpCall, becomes, deliver, events, stripe_client, subscribe
from tests.cast import PASSWORD
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE = {"revenue": -36_77, "stripe": 36_77}
TAKEN = {"disputed": 30_00, "revenue": -36_77, "stripe": 6_77}
LOST = {"losses": 30_00, "revenue": -36_77, "stripe": 6_77}


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return subscribe(sign_up)


@pytest.fixture
def payment(tenant: Tenant) -> Payment:
    """A card payment of 30.00, beside the plan's 6.77."""
    invoice = issued(tenant, 30_00)
    invoice_collect(invoice=invoice, now=NOW)
    return invoice.payments.get()


@pytest.fixture
def bank(local_payments: LocalPayments) -> Bank:
    return Bank(local_payments)


def settle(dispute_id: str) -> Dispute | None:
    return dispute_settle(found=payments.dispute_get(dispute_id=dispute_id), now=NOW)


def note_of(payment: Payment) -> object:
    """Return what the tenant is told of the payment's invoice."""
    invoices = selectors.invoices(tenant=payment.invoice.tenant)
    return selectors.invoice_row(invoices.get(pk=payment.invoice_id))["note"]


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


def test_what_was_owed_back_already_is_not_paid_twice(payment: Payment, bank: Bank) -> None:
    dispute_id = bank.dispute(payment)
    settle(dispute_id)
    note = credit_note_issue(invoice=payment.invoice, amount=20_00, reason="", actor=None, now=NOW)
    assert credit_note_refund(credit_note=note, actor=None, now=NOW) == []
    tenant = payment.invoice.tenant
    bank_transfer_record(
        invoice=issued(tenant, 1_00), amount=3_00, reference="T1", received_on=NOW.date(),
        actor=None, now=NOW,
    )  # fmt: skip
    spent = credit_spend(invoice=issued(tenant, 5_00), now=NOW)
    assert spent is not None
    assert spent.amount == 2_00  # what came by bank: the rest may be the cardholder's
    bank.decide(dispute_id, "lost")
    for _ in range(2):
        settle(dispute_id)
    assert booked(f"dispute_lost:{dispute_id}") == {"losses": 30_00, "disputed": -30_00}
    assert booked(f"set_off:{SetOff.objects.get().uuid}") == {"credit": 20_00, "losses": -20_00}
    assert credit_balance(tenant=tenant, currency="USD") == 0
    assert prove().is_proved
    found = payments.dispute_get(dispute_id=dispute_id)
    turned = StripeDispute(**{**vars(found), "status": "won", "reinstated": 30_00})
    dispute_settle(found=turned, now=NOW)
    assert credit_balance(tenant=tenant, currency="USD") == 20_00
    assert prove().is_proved
    (refund,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
    assert refund.amount == 20_00


def test_credit_of_another_invoice_can_be_spent_where_ours_is_under_way(
    payment: Payment, bank: Bank
) -> None:
    """What the refund has taken out of the credit already, the bank cannot pay back of it."""
    tenant = payment.invoice.tenant
    note = credit_note_issue(invoice=payment.invoice, amount=10_00, reason="", actor=None, now=NOW)
    credit_note_refund(credit_note=note, actor=None, now=NOW)
    settle(bank.dispute(payment))
    bank_transfer_record(
        invoice=issued(tenant, 1_00), amount=11_00, reference="T1", received_on=NOW.date(),
        actor=None, now=NOW,
    )  # fmt: skip
    assert credit_balance(tenant=tenant, currency="USD") == 10_00
    credit_note_issue(invoice=payment.invoice, amount=5_00, reason="", actor=None, now=NOW)
    assert credit_balance(tenant=tenant, currency="USD") == 10_00


def test_what_is_owed_only_once_it_is_lost_is_not_paid_twice(payment: Payment, bank: Bank) -> None:
    """A refund of ours was under way, and a credit note comes after it."""
    note = credit_note_issue(invoice=payment.invoice, amount=12_00, reason="", actor=None, now=NOW)
    (refund,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
    dispute_id = bank.dispute(payment)
    bank.decide(dispute_id, "lost")
    settle(dispute_id)
    assert balances() == {"held": -12_00, "losses": 30_00, "revenue": -24_77, "stripe": 6_77}
    assert refund_send(refund=refund, now=NOW) == RefundState.FAILED  # it has been charged back
    assert balances() == {"losses": 18_00, "revenue": -24_77, "stripe": 6_77}
    assert prove().is_proved
    credit_note_issue(invoice=payment.invoice, reason="", actor=None, now=NOW)
    assert balances() == {"revenue": -6_77, "stripe": 6_77}
    assert prove().is_proved
    found = payments.dispute_get(dispute_id=dispute_id)
    turned = StripeDispute(**{**vars(found), "status": "won", "reinstated": 25_00})
    for _ in range(2):
        dispute_settle(found=turned, now=NOW)
    assert balances() == {"credit": -25_00, "revenue": -6_77, "stripe": 31_77}
    assert Dispute.objects.get().owed_back == 5_00
    assert prove().is_proved


def test_won_in_part_the_rest_is_lost(payment: Payment, bank: Bank) -> None:
    dispute_id = bank.dispute(payment)
    settle(dispute_id)
    theirs = vars(payments.dispute_get(dispute_id=dispute_id))
    in_part = StripeDispute(**{**theirs, "status": "won", "reinstated": 20_00})
    for _ in range(2):
        dispute_settle(found=in_part, now=NOW)
    assert booked(f"dispute_won:{dispute_id}") == {
        "disputed": -30_00, "losses": 10_00, "stripe": 20_00,
    }  # fmt: skip
    assert prove().is_proved
    # The cardholder has 10.00 already: of what is credited now the card gets no more than the rest.
    note = credit_note_issue(invoice=payment.invoice, reason="", actor=None, now=NOW)
    assert balances() == {"credit": -20_00, "revenue": -6_77, "stripe": 26_77}
    (refund,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
    assert refund.amount == 20_00
    assert prove().is_proved


def test_until_the_money_is_back_one_that_is_won_is_as_one_undecided(
    payment: Payment, bank: Bank
) -> None:
    tenant = payment.invoice.tenant
    theirs = vars(payments.dispute_get(dispute_id=bank.dispute(payment)))
    dispute_settle(found=StripeDispute(**{**theirs, "status": "won"}), now=NOW)
    note = credit_note_issue(invoice=payment.invoice, reason="", actor=None, now=NOW)
    assert credit_note_refund(credit_note=note, actor=None, now=NOW) == []
    assert credit_balance(tenant=tenant, currency="USD") == 0
    assert note_of(payment) == "The payment is disputed."
    in_part = StripeDispute(**{**theirs, "status": "won", "reinstated": 20_00})
    dispute_settle(found=in_part, now=NOW)
    assert credit_balance(tenant=tenant, currency="USD") == 20_00
    assert note_of(payment) == ""
    (refund,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
    assert refund.amount == 20_00
    assert prove().is_proved


def test_of_one_won_in_part_the_rest_goes_back_where_stripe_refunds_it(
    payment: Payment, bank: Bank, client: Client
) -> None:
    dispute_id = bank.dispute(payment)
    bank.decide(dispute_id, "partially_won")
    settle(dispute_id)
    note = credit_note_issue(invoice=payment.invoice, reason="", actor=None, now=NOW)
    assert credit_note_refund(credit_note=note, actor=None, now=NOW) == []
    with pytest.raises(Refused, match="Stripe refunds no more of it"):
        refund_request(payment=payment, amount=1, reason="", actor=None, now=NOW)
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    page = client.get(reverse("admin:billing_invoice_refund", args=[payment.invoice_id]))
    assert f"{payment}: The dispute of this payment was lost" in page.content.decode()
    assert note_of(payment) == "The payment is disputed."
    lost = payments.dispute_get(dispute_id=dispute_id)
    dispute_settle(found=replace(lost, is_charge_refundable=True), now=NOW)
    assert note_of(payment) == ""
    (refund,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
    assert refund.amount == 15_00
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


def test_a_disputed_payment_is_not_paid_back(payment: Payment, bank: Bank, client: Client) -> None:
    settle(bank.dispute(payment))
    note = credit_note_issue(invoice=payment.invoice, amount=5_00, reason="", actor=None, now=NOW)
    assert credit_note_refund(credit_note=note, actor=None, now=NOW) == []
    with pytest.raises(Refused, match="disputes this payment"):
        refund_request(payment=payment, amount=5_00, reason="", actor=None, now=NOW)
    row = selectors.invoice_row(
        selectors.invoices(tenant=payment.invoice.tenant).get(pk=payment.invoice_id)
    )
    assert (row["state"], row["note"]) == ("paid", "The payment is disputed.")
    bank.decide(Dispute.objects.get().stripe_id, "won")
    settle(Dispute.objects.get().stripe_id)
    (refund,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
    assert refund.amount == 5_00


def test_the_nightly_look_finds_what_no_event_told(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispute_id = bank.dispute(payment)
    assert [one.id for one in disputes_fetch(now=NOW, dry_run=True).news] == [dispute_id]
    assert not Dispute.objects.exists()
    assert [one.id for one in disputes_fetch(now=NOW).news] == [dispute_id]
    assert balances() == TAKEN
    bank.decide(dispute_id, "won")
    # It is asked for although it was opened long before what is listed.
    monkeypatch.setattr(payments, "disputes_since", lambda **_asked: iter(()))
    assert [one.status for one in disputes_fetch(now=NOW).news] == ["won"]
    assert disputes_fetch(now=NOW).news == []
    assert balances() == BEFORE


def test_what_is_listed_is_looked_for_at_once(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = payments.dispute_get(dispute_id=bank.dispute(payment))
    dispute_settle(found=known, now=NOW)
    theirs = [replace(known, id=f"du_{at}", payment_intent_id=f"pi_{at}") for at in range(5)]
    ours = replace(known, id="du_ours")
    monkeypatch.setattr(payments, "disputes_since", lambda **_asked: iter([*theirs, ours, known]))
    with CaptureQueriesContext(connection) as asked:
        run = disputes_fetch(now=NOW, dry_run=True)
    assert run.news == [ours]
    assert len(asked) == 4  # how far it was read, what is noted, what is ours, what is not over


def test_one_that_cannot_be_fetched_stops_no_other(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispute_id = bank.dispute(payment)
    theirs = payments.dispute_get(dispute_id=dispute_id)
    gone = StripeDispute(**{**vars(theirs), "id": "du_gone", "withdrawn": 0})
    dispute_settle(found=gone, now=NOW)
    monkeypatch.setattr(payments, "disputes_since", lambda **_asked: iter((theirs,)))
    run = disputes_fetch(now=NOW)
    assert [one.id for one in run.news] == [dispute_id]
    assert set(run.failed) == {"du_gone"}
    assert cursor_reached(StripeList.DISPUTES) == NOW

    def failing(**_asked: object) -> None:
        raise OSError("No disk.")

    monkeypatch.setattr(missed_disputes, "dispute_settle", failing)
    newer = StripeDispute(**{**vars(theirs), "id": "du_new", "opened_at": NOW})
    monkeypatch.setattr(payments, "disputes_since", lambda **_asked: iter((newer,)))
    assert disputes_fetch(now=NOW + timedelta(days=2)).failed["du_new"] == "No disk."
    assert cursor_reached(StripeList.DISPUTES) == NOW  # it will be listed again


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


def test_of_an_order_without_an_invoice_and_of_nothing(
    tenant: Tenant, payment: Payment, bank: Bank
) -> None:
    dispute_id = bank.dispute(payment)
    theirs = payments.dispute_get(dispute_id=dispute_id)
    for stranger in ("pi_somebody", ""):
        found = StripeDispute(**{**vars(theirs), "payment_intent_id": stranger})
        assert dispute_settle(found=found, now=NOW) is None
    order = Order.objects.create(
        tenant=tenant, purpose="extension", state=OrderState.REFUND_DUE, token="1",
        currency="USD", amount=30_00, payment_intent_id="pi_held", period_start=NOW.date(),
        period_end=NOW.date(), created_at=NOW,
    )  # fmt: skip
    ledger.order_held_post(order=order, now=NOW)
    of_it = {**vars(theirs), "payment_intent_id": "pi_held"}
    dispute_settle(found=StripeDispute(**of_it), now=NOW)
    assert Dispute.objects.get().order == order
    assert prove().is_proved
    # Its refund failed: what the bank pays back is held no longer. Then an arbitration turns it.
    Order.objects.update(refund_id="re_1", decline_message="The refund failed: unknown")
    held = {"held": -30_00, "revenue": -36_77, "stripe": 66_77}
    for told, books, state in (
        ({"status": "lost"}, BEFORE, OrderState.REFUNDED),
        ({"status": "won", "reinstated": 30_00}, held, OrderState.REFUND_DUE),
    ):
        for _ in range(2):
            dispute_settle(found=StripeDispute(**{**of_it, **told}), now=NOW)
        order.refresh_from_db()
        assert (balances(), order.state, order.refund_id) == (books, state, "")
        assert prove().is_proved


def test_over_less_than_an_undeliverable_order_the_rest_still_has_to_go_back(
    tenant: Tenant, payment: Payment, bank: Bank
) -> None:
    theirs = vars(payments.dispute_get(dispute_id=bank.dispute(payment)))
    order = Order.objects.create(
        tenant=tenant, purpose="extension", state=OrderState.REFUND_DUE, token="1",
        currency="USD", amount=50_00, payment_intent_id="pi_held", refund_id="re_1",
        period_start=NOW.date(), period_end=NOW.date(), created_at=NOW, fulfilled_at=NOW,
    )  # fmt: skip
    ledger.order_held_post(order=order, now=NOW)
    lost = {**theirs, "payment_intent_id": "pi_held", "status": "lost"}
    for _ in range(2):
        dispute_settle(found=StripeDispute(**lost), now=NOW)
    order.refresh_from_db()
    assert order.state == OrderState.REFUND_DUE
    assert booked(f"dispute_lost:{theirs['id']}") == {"disputed": -30_00, "held": 30_00}
    assert prove().is_proved
    failed = StripeRefund("re_1", "failed", 50_00, {}, "unknown", "pi_held", "")
    for amount, said, state in (
        (15_00, "Still to be paid back: $5.00.", OrderState.REFUND_DUE),
        (20_00, "", OrderState.REFUNDED),
    ):
        told = StripeRefund("re_2", "succeeded", amount, {}, "", "pi_held", "")
        order_refund_settle(order=order, told=told, others=[failed], now=NOW)
        order.refresh_from_db()
        assert (order.state, order.decline_message) == (state, said)
        assert prove().is_proved
    assert booked(f"order_refund:{order.uuid}") == {"held": 20_00, "stripe": -20_00}
    assert balances() == BEFORE
    # Turned after that: what comes back is owed to nobody by itself.
    won = {**lost, "status": "won", "reinstated": 30_00}
    dispute_settle(found=StripeDispute(**won), now=NOW)
    assert balances() == {"losses": -30_00, "revenue": -36_77, "stripe": 66_77}
    assert prove().is_proved


@pytest.fixture
def disputed_order(tenant: Tenant, payment: Payment, bank: Bank) -> tuple[Order, str]:
    """An undeliverable order of 30.00, and the id of its dispute, of which nobody told us."""
    order = Order.objects.create(
        tenant=tenant, purpose="extension", state=OrderState.REFUND_DUE, token="1",
        currency="USD", amount=30_00, payment_intent_id=payment.payment_intent_id,
        period_start=NOW.date(), period_end=NOW.date(), created_at=NOW, fulfilled_at=NOW,
    )  # fmt: skip
    dispute_id = bank.dispute(payment)
    Payment.objects.filter(pk=payment.pk).update(payment_intent_id="pi_another")
    ledger.order_held_post(order=order, now=NOW)
    return order, dispute_id


@pytest.fixture
def won_in_part(disputed_order: tuple[Order, str], bank: Bank) -> Order:
    """The same, of which the dispute has paid 10.00 back."""
    order, dispute_id = disputed_order
    settle(dispute_id)
    bank.decide(dispute_id, "won")
    theirs = vars(payments.dispute_get(dispute_id=dispute_id))
    dispute_settle(found=StripeDispute(**{**theirs, "reinstated": 20_00}), now=NOW)
    assert balances() == {"held": -20_00, "revenue": -36_77, "stripe": 56_77}
    return order


def test_what_stripe_refused_while_it_was_disputed_goes_back_once_it_is_won(
    disputed_order: tuple[Order, str], bank: Bank
) -> None:
    order, dispute_id = disputed_order
    for _ in range(2):
        with pytest.raises(payments.PaymentRefused):
            order_refund(order=order, now=NOW)
        order.refresh_from_db()
        assert "charged back" in order.decline_message
    bank.decide(dispute_id, "won")
    won = payments.dispute_get(dispute_id=dispute_id)
    dispute_settle(found=replace(won, reinstated=0), now=NOW)  # the money is not back yet
    order = order_refund(order=order, now=NOW)
    assert order.decline_message == "The payment is disputed."
    dispute_settle(found=won, now=NOW)
    order = order_refund(order=order, now=NOW)
    assert (order.state, order.decline_message) == (OrderState.REFUNDED, "")
    assert balances() == BEFORE


def test_of_an_undeliverable_order_no_more_goes_back_than_its_dispute_left(
    won_in_part: Order,
) -> None:
    intent_id = won_in_part.payment_intent_id
    for _ in range(2):
        order = order_refund(order=won_in_part, now=NOW)
        assert order.state == OrderState.REFUNDED
        (refund,) = payments.refunds_of_intent(payment_intent_id=intent_id)
        assert (refund.id, refund.amount) == (order.refund_id, 20_00)
    assert balances() == BEFORE
    assert prove().is_proved


def test_what_an_operator_refunds_beside_a_dispute_is_lost(
    won_in_part: Order,
) -> None:
    params: Any = {"payment_intent": won_in_part.payment_intent_id}
    stripe_client().v1.refunds.create(params)
    order = order_refund(order=won_in_part, now=NOW)
    assert order.state == OrderState.REFUNDED
    key = f"order_refund:{order.uuid}"
    assert booked(key) == {"held": 20_00, "losses": 10_00, "stripe": -30_00}
    assert balances() == {"losses": 10_00, "revenue": -36_77, "stripe": 26_77}
    assert prove().is_proved


def test_what_is_refunded_at_stripe_once_it_is_refunded_is_lost(won_in_part: Order) -> None:
    """The bank gave 10.00, we 20.00; then somebody pays the 10.00 back once more."""
    order = order_refund(order=won_in_part, now=NOW)
    assert order.state == OrderState.REFUNDED
    (ours,) = payments.refunds_of_intent(payment_intent_id=order.payment_intent_id)
    for cents in (4_00, 6_00):
        params: Any = {"payment_intent": order.payment_intent_id, "amount": cents}
        made = payments.refund_get(refund_id=stripe_client().v1.refunds.create(params).id)
        for _ in range(2):
            refunds_note([made], NOW)
            assert prove().is_proved
        row = UnowedRefund.objects.latest("id")
        assert booked(f"unowed_refund:{row.uuid}") == {"losses": cents, "stripe": -cents}
        entry = AuditEntry.objects.filter(action="order.refunded_at_stripe").latest("id")
        assert (entry.target, entry.data["amount"]) == (str(order.uuid), cents)
    assert balances() == {"losses": 10_00, "revenue": -36_77, "stripe": 26_77}
    BalanceTransaction.objects.create(  # all that moved: +30 -30 +20 -20 -4 -6
        stripe_id="txn_1", type="adjustment", currency="USD", amount=-10_00, fee=0, net=-10_00,
        source_currency="USD", source_amount=-10_00, payment_intent_id=order.payment_intent_id,
        created_at=NOW, available_on=NOW, booked_at=NOW,
    )  # fmt: skip
    wrong = {one.payment_intent_id for one in differences(NOW, None)}
    assert order.payment_intent_id not in wrong
    BalanceTransaction.objects.all().delete()
    # A bank sends ours back: 10.00 of it the payer has from theirs, which is owed now.
    becomes(ours.id, "failed")
    refunds_note([payments.refund_get(refund_id=ours.id)], NOW)
    due = order_refund(order=Order.objects.get(state=OrderState.REFUND_DUE), now=NOW)
    assert balances() == {"held": -10_00, "revenue": -36_77, "stripe": 46_77}
    assert due.amount == 20_00
    assert prove().is_proved
    becomes(made.id, "failed")
    refunds_note([payments.refund_get(refund_id=made.id)], NOW)
    assert prove().is_proved


@pytest.mark.parametrize("rest", [0, 20_00])
def test_what_a_lost_dispute_paid_back_is_not_owed_again_when_the_refund_fails(
    tenant: Tenant, payment: Payment, bank: Bank, rest: int
) -> None:
    theirs = vars(payments.dispute_get(dispute_id=bank.dispute(payment)))
    lost = {**theirs, "payment_intent_id": "pi_held", "status": "lost"}
    amount = 30_00 + rest
    order = Order.objects.create(
        tenant=tenant, purpose="extension", state=OrderState.REFUND_DUE, token="1",
        currency="USD", amount=amount, payment_intent_id="pi_held", period_start=NOW.date(),
        period_end=NOW.date(), created_at=NOW, fulfilled_at=NOW,
    )  # fmt: skip
    ledger.order_held_post(order=order, now=NOW)
    refund = StripeRefund("re_1", "succeeded", amount, {}, "", "pi_held", "")
    order_refund_settle(order=order, told=refund, others=[], now=NOW)
    dispute_settle(found=StripeDispute(**lost), now=NOW)
    assert balances() == LOST
    failed = replace(refund, status="failed", failure_reason="unknown")
    order_refund_settle(order=order, told=failed, others=[], now=NOW)
    due = Order.objects.get(state=OrderState.REFUND_DUE)
    for _ in range(2):
        due = order_refund_settle(order=due, told=failed, others=[], now=NOW)
        assert prove().is_proved
    (row,) = SetOff.objects.all()
    assert booked(f"set_off:{row.uuid}") == {"held": 30_00, "losses": -30_00}
    assert Dispute.objects.get().owed_back == 30_00
    if rest:
        assert due.decline_message == "Still to be paid back: $20.00. The refund failed: unknown"
        again = replace(refund, id="re_2", amount=rest)
        due = order_refund_settle(order=due, told=again, others=[failed], now=NOW)
    assert (due.state, due.refund_id) == (OrderState.REFUNDED, "re_2" if rest else "")
    assert balances() == BEFORE
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
