"""Stripe's balance transactions: what they cost, pay out and exchange is booked, and proved; every
night, beside what else is compared with Stripe.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
import stripe
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from structlog.testing import capture_logs

from billing import payments, tasks
from billing.models import (
    BalanceTransaction,
    Dispute,
    Entry,
    Order,
    OrderState,
    Payment,
    Posting,
    Reconciliation,
    Refund,
    RefundState,
    StripeCursor,
    StripeEvent,
)
from billing.payments import StripeDispute, StripeTransaction
from billing.proof import prove
from billing.services import balance, invoice_collect, order_check, order_refund, reconcile
from billing.services.balance import balance_fetch
from billing.services.credit_notes import credit_note_issue
from billing.services.disputes import dispute_settle
from billing.services.ledger import transactions_post
from billing.services.missed_disputes import disputes_fetch
from billing.services.refunds import credit_note_refund, refund_send
from portal.local.payments.server import LocalPayments
from tenants.models import Tenant, User
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, booked, issued
from tests.billing.conftest import SignUpCall, buy, stripe_client, subscribe
from tests.billing.races import at_once
from tests.billing.test_checkout import extension
from tests.cast import PASSWORD
from tests.services import local_payments_running

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOW + timedelta(hours=2)


@pytest.fixture
def local_payments(tmp_path: Path) -> Iterator[LocalPayments]:
    """An account at Stripe of each test's own: what others did in it would be found."""
    with local_payments_running(tmp_path) as running:
        yield running


@pytest.fixture
def stripe_api(local_payments: LocalPayments) -> None:
    """Stripe's API is that account's."""


@pytest.fixture
def bank(local_payments: LocalPayments) -> Bank:
    return Bank(local_payments)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    """A tenant whose plan was paid for: 6.77, of which Stripe took 0.24."""
    return subscribe(sign_up)


@pytest.fixture
def payment(tenant: Tenant) -> Payment:
    """A card payment of 30.00, of which Stripe took 1.08."""
    invoice = issued(tenant, 30_00)
    invoice_collect(invoice=invoice, now=NOW)
    return invoice.payments.get()


def paid_back(payment: Payment, amount: int = 5_00) -> Refund:
    """Credit a part of what was paid, and have Stripe pay it back."""
    note = credit_note_issue(invoice=payment.invoice, amount=amount, reason="", actor=None, now=NOW)
    (refund,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
    refund_send(refund=refund, now=NOW)
    refund.refresh_from_db()
    return refund


def at_stripe() -> dict[str, int]:
    """Return Stripe's balance by currency, as Stripe says it."""
    said = stripe_client().v1.balance.retrieve()
    sums: Counter[str] = Counter()
    for part in (*said.available, *said.pending):
        sums[part["currency"].upper()] += part["amount"]
    return {currency: total for currency, total in sums.items() if total}


def in_the_books() -> dict[str, int]:
    return {one.currency: one.ledger for one in prove().cash if one.ledger}


def wrong() -> dict[str, tuple[str, ...]]:
    """Return what the proof finds wrong, with its examples."""
    return {check.words.english: check.examples for check in prove().checks if check.wrong}


def test_what_is_at_stripe_by_the_books_is_what_stripe_says(
    payment: Payment, tenant: Tenant, bank: Bank
) -> None:
    lost = issued(tenant, 20_00)
    invoice_collect(invoice=lost, now=NOW)
    for amount, currency in ((40_00, "USD"), (4_500, "JPY")):
        invoice_collect(invoice=issued(tenant, amount, currency=currency), now=NOW)
    paid_back(payment)
    bank.decide(bank.dispute(lost.payments.get()), "lost")
    bank.decide(bank.dispute(payment), "won")
    disputes_fetch(now=NOW)
    bank.control("clock", now="2026-12-05T00:00:00Z")
    bank.control("fee", amount=2_00, currency="usd", description="Monthly fee")
    payout = bank.control("payout", currency="jpy")["id"]
    bank.control("payout", currency="usd")
    bank.decide(payout, "failed")
    proof = prove()
    assert (proof.is_proved, len(proof.in_transit)) == (True, 4)
    before = balances()
    assert balance_fetch(now=LATER, dry_run=True).fetched == BalanceTransaction.objects.count() + 13
    assert (balances(), StripeCursor.objects.filter(name="balance").count()) == (before, 0)
    run = balance_fetch(now=LATER)
    assert (run.fetched, run.booked, run.looked_up, run.failed) == (13, 13, 0, {})
    assert in_the_books() == at_stripe() == {"JPY": 4_338}
    proof = prove()
    assert (proof.is_proved, proof.in_transit, wrong()) == (True, [], {})
    # 0.24 + 1.08 + 0.72 + 1.44 + 15.00 + 15.00 + 2.00 dollars and 162 yen
    assert balances()["fees"] == 35_48 + 162
    assert balances()["bank"] == 6_77 + 30_00 + 40_00 - 5_00 - 35_48
    failure = BalanceTransaction.objects.get(type="payout_failure")
    assert booked(f"payout:{failure.stripe_id}") == {"bank": -4_338, "stripe": 4_338}
    again = balance_fetch(now=LATER)
    assert (again.fetched, again.booked) == (0, 0)


def test_a_payout_names_what_it_paid_out_once_stripe_knows_all_of_it(
    payment: Payment, tenant: Tenant, bank: Bank
) -> None:
    def paid_out() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        rows = BalanceTransaction.objects.exclude(payout_id="")
        for payout_id, type_ in rows.values_list("payout_id", "type"):
            found.setdefault(payout_id, set()).add(type_)
        return found

    invoice_collect(invoice=issued(tenant, 4_500, currency="JPY"), now=NOW)
    bank.control("clock", now="2026-12-05T00:00:00Z")
    manual = stripe_client().v1.payouts.create({"amount": 1_000, "currency": "jpy"}).id
    automatic = bank.control("payout", currency="usd")["id"]
    run = balance_fetch(now=LATER)
    assert (run.payouts_in_progress, paid_out()) == (1, {manual: {"payout"}})
    bank.decide(automatic, "reconciled")
    run = balance_fetch(now=LATER)
    assert (run.payouts_in_progress, run.failed) == (0, {})
    assert paid_out() == {manual: {"payout"}, automatic: {"charge", "payout"}}
    assert prove().is_proved


def test_where_we_die_while_it_is_booked_it_is_booked_once(
    payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(**parameters: object) -> None:
        transactions_post(**parameters)  # type: ignore[arg-type]  # as it was called
        raise OSError("The power is gone.")

    with monkeypatch.context() as patched:
        patched.setattr(balance, "transactions_post", dying)
        with pytest.raises(OSError, match="power"):
            balance_fetch(now=LATER)
    assert "fees" not in balances()
    assert prove().is_proved is False  # what was fetched is of nothing, until it is booked
    assert balance_fetch(now=LATER).booked == 2
    assert balances()["fees"] == 24 + 1_08
    assert prove().is_proved


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


def test_all_refunds_of_an_undelivered_order_are_its_own(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = buy(extension(tenant, now=NOW), now=NOW)
    order = order_check(order=order, now=NOW + timedelta(days=40))
    assert order.state == OrderState.REFUND_DUE
    Order.objects.filter(pk=order.pk).update(fulfilled_at=NOW - timedelta(days=2))
    real = payments.refund_create
    with monkeypatch.context() as patched:
        patched.setattr(payments, "refund_create", lambda **p: replace(real(**p), status="pending"))
        patched.setattr(payments, "refunds_of_intent", lambda **_: [])
        patched.setattr(balance, "movement_settle", lambda **_: None)
        order_refund(order=order, now=NOW)
        balance_fetch(now=LATER)
    monkeypatch.setattr(timezone, "now", lambda: LATER)
    (moving,) = prove().in_transit  # Stripe has done it, nobody has told us
    assert (moving.payment_intent_id, moving.amount) == (order.payment_intent_id, 1_00)
    assert wrong() == {}
    (transit,) = [check for check in prove(now=NOW + timedelta(days=6)).checks if check.wrong]
    assert transit.complaint.english == (
        "PaymentIntents in transit for less than a week: 1 wrong:"
        f" {order.payment_intent_id} (+100 USD)"
    )
    Order.objects.filter(pk=order.pk).update(refund_id="re_another")
    assert wrong() == {}


def test_an_inquiry_into_a_payment_that_nobody_told_of_is_noted(tenant: Tenant, bank: Bank) -> None:
    order = buy(extension(tenant, now=NOW), now=NOW)
    client = stripe_client()
    (charge,) = [
        one for one in client.v1.charges.list().data
        if one.metadata.to_dict() == {"order": str(order.uuid)}
    ]  # fmt: skip
    bank.decide(charge.id, "inquiry")
    reconcile(now=timezone.now())
    assert Dispute.objects.get().payment_intent_id == charge.payment_intent


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


def test_each_currency_balances_where_stripe_settles_in_another(
    payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local payments exchange nothing: what Stripe would say of a Japanese account is made up
    of what they say, at 150 yen a dollar.
    """
    paid_back(payment)
    real = payments.transactions_since

    def in_yen(**asked: object) -> Iterator[StripeTransaction]:
        for one in real(**asked):  # type: ignore[arg-type]  # as it was asked
            amount, fee = one.amount * 3 // 2, one.fee * 3 // 2
            yield replace(one, currency="JPY", amount=amount, fee=fee, net=amount - fee)

    monkeypatch.setattr(payments, "transactions_since", in_yen)
    balance_fetch(now=LATER)
    # 6.77 + 30.00 - 5.00 in dollars; 1,015 + 4,500 - 750 yen, less 36 + 162 of fees
    assert in_the_books() == {"JPY": 4_567}
    charge = BalanceTransaction.objects.get(payment_intent_id=payment.payment_intent_id, fee__gt=0)
    assert booked(f"exchanged_from:{charge.stripe_id}") == {"exchange": 30_00, "stripe": -30_00}
    assert booked(f"exchanged_to:{charge.stripe_id}") == {"exchange": -4_500, "stripe": 4_500}
    assert {one.currency: one.ledger for one in prove().balances if one.account == "exchange"} == {
        "USD": 31_77, "JPY": -4_765,
    }  # fmt: skip
    assert prove().is_proved


@pytest.mark.parametrize(
    ("type", "source", "moved"),
    [
        ("stripe_fee", {"amount": 100_00, "currency": "usd"}, ("USD", -15_00)),
        ("stripe_fee", {"amount": 15_000, "currency": "jpy"}, ("USD", -15_00)),
        ("adjustment", {"amount": 100_00, "currency": "usd"}, ("USD", -15_00)),  # a part
        ("adjustment", {"amount": 2_250, "currency": "jpy"}, ("JPY", -2_250)),
        ("adjustment", {"net_amount": 15_00, "currency": "usd"}, ("USD", -15_00)),
        ("adjustment", {"net_amount": 2_250, "currency": "jpy"}, ("USD", -15_00)),
    ],
)
def test_what_moved_is_the_whole_of_its_source_only_where_that_was_exchanged(
    monkeypatch: pytest.MonkeyPatch,
    type: str,
    source: dict[str, object],
    moved: tuple[str, int],
) -> None:
    """Said by what Stripe documents: a cash balance transaction, the last, has no `amount`."""
    said = {
        "id": "txn_1", "type": type, "currency": "usd", "amount": -15_00, "fee": 0,
        "net": -15_00, "created": 1_800_000_000, "available_on": 1_800_000_000,
        "source": {"id": "re_1", "object": "refund", **source},
    }  # fmt: skip
    entry = stripe.BalanceTransaction.construct_from(said, None)
    monkeypatch.setattr("billing.payments.balance._listed", lambda _params: iter([entry]))
    (one,) = payments.transactions_since(since=NOW)
    assert (one.source_currency, one.source_amount) == moved


def test_a_fee_of_a_dispute_moves_nothing_of_what_is_disputed(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.dispute(payment)
    disputes_fetch(now=NOW)
    bank.control("fee", amount=15_00, currency="usd")
    real = payments.transactions_since

    def of_the_dispute(**asked: object) -> Iterator[StripeTransaction]:
        for one in real(**asked):  # type: ignore[arg-type]  # as it was asked
            is_fee = one.type == "stripe_fee"
            intent = payment.payment_intent_id if is_fee else one.payment_intent_id
            yield replace(one, payment_intent_id=intent)

    monkeypatch.setattr(payments, "transactions_since", of_the_dispute)
    balance_fetch(now=LATER)
    assert wrong() == {}
    assert prove().is_proved


class TestTheProof:
    def test_it_fails_where_cash_was_not_compared_for_two_days(
        self, shop: None, sign_up: SignUpCall
    ) -> None:
        day = timedelta(days=1)
        assert prove(now=timezone.now() + 90 * day).is_proved  # nothing was ever at Stripe
        tenant = subscribe(sign_up)
        invoice_collect(invoice=issued(tenant, 30_00), now=NOW)
        Posting.objects.update(posted_at=NOW)
        assert prove(now=NOW + day).too_old is None
        never = prove(now=NOW + 3 * day)
        assert (never.too_old and never.too_old.english, never.is_proved) == (
            "Cash at Stripe was never compared: its transactions were not fetched yet.", False
        )  # fmt: skip
        balance_fetch(now=NOW + 3 * day)
        assert prove(now=NOW + 4 * day).is_proved
        late = prove(now=NOW + 6 * day)
        assert (late.too_old and late.too_old.english, late.is_proved) == (
            "Cash at Stripe was last compared up to 2026-12-04 05:00 UTC, which is too long ago.",
            False,
        )

    def test_it_names_what_is_newer_than_what_was_fetched(
        self, payment: Payment, tenant: Tenant
    ) -> None:
        balance_fetch(now=LATER)
        newer = issued(tenant, 9_00)
        invoice_collect(invoice=newer, now=LATER)
        proof = prove()
        assert proof.is_proved
        assert [(one.payment_intent_id, one.amount) for one in proof.in_transit] == [
            (newer.payments.get().payment_intent_id, 9_00)
        ]
        out = StringIO()
        call_command("ledger_prove", stdout=out)
        said = out.getvalue()
        assert "USD  at Stripe $44.45 = $35.45 by its transactions + $9.00 in transit\n" in said
        assert f"in transit  {proof.in_transit[0].payment_intent_id}  $9.00" in said

    def test_it_lists_what_others_did_and_what_stripe_knows_nothing_of(
        self, payment: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = stripe_client()
        theirs = client.v1.payment_intents.create(
            {
                "amount": 50_00,
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": True,
                "allowed_payment_method_types": ["card"],
                "metadata": {"order": "1234"},
            }
        )
        client.v1.refunds.create({"payment_intent": theirs.id, "amount": 2_00})
        with monkeypatch.context() as patched:  # nobody asks about them
            patched.delattr(payments, "intent_get")
            patched.delattr(payments, "refund_get")
            run = balance_fetch(now=LATER)
        assert (run.fetched, run.booked, run.looked_up, run.failed) == (4, 2, 0, {})
        (cash,) = prove().cash
        assert (cash.is_proved, cash.others, wrong()) == (True, 50_00 - 2_00 - 1_80, {})
        assert prove().is_proved
        client.v1.refunds.create({"payment_intent": payment.payment_intent_id, "amount": 1_00})
        StripeCursor.objects.all().delete()  # at the local payments it is not so late yet
        balance_fetch(now=LATER)
        by_hand = BalanceTransaction.objects.get(amount=-1_00)
        Refund.objects.all().delete()
        lost = BalanceTransaction.objects.get(amount=6_77)
        lost.delete()
        found = wrong()
        intents = "PaymentIntents over the same at Stripe as in the books"
        assert set(found) == {
            intents, "balance transactions of something of ours",
            "payments with their balance transaction", "stripe_fee: postings with their row",
            "refund: postings with their row",
        }  # fmt: skip
        assert set(found[intents]) == {
            f"{payment.payment_intent_id} (+100 USD)", f"{lost.payment_intent_id} (+677 USD)"
        }  # fmt: skip
        assert found["balance transactions of something of ours"] == (by_hand.stripe_id,)
        assert found["payments with their balance transaction"] == (lost.payment_intent_id,)
        with pytest.raises(CommandError, match="not proved"):
            call_command("ledger_prove", stdout=StringIO())

    def test_it_knows_top_ups_and_what_stripe_holds_back(
        self, payment: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The local payments do neither: such are made up of a fee that they take."""
        real = payments.transactions_since
        moved = {
            "topup": 50_00, "topup_reversal": -20_00, "reserved_funds": -12_00,
            "payout_minimum_balance_hold": -4_00, "payout_minimum_balance_release": 4_00,
        }  # fmt: skip

        def and_more(**asked: object) -> Iterator[StripeTransaction]:
            for one in real(**asked):  # type: ignore[arg-type]  # as it was asked
                yield one
            for type_, amount in moved.items():
                yield replace(
                    one, id=f"txn_{type_}", type=type_, amount=amount, source_amount=amount,
                    fee=0, net=amount,
                )  # fmt: skip

        monkeypatch.setattr(payments, "transactions_since", and_more)
        balance_fetch(now=LATER)
        proof = prove()
        (cash,) = proof.cash
        assert (wrong(), proof.is_proved) == ({}, True)
        assert (cash.ledger, cash.held, cash.others) == (65_45, 12_00, 0)
        assert booked("payout:txn_topup") == {"bank": -50_00, "stripe": 50_00}
        assert balances()["bank"] == -30_00
        call_command("ledger_prove", stdout=(out := StringIO()))
        assert "; $12.00 held back\n" in out.getvalue()


def test_a_night_finds_all_and_the_next_one_nothing(
    payment: Payment, bank: Bank, client: Client
) -> None:
    dispute_id = bank.dispute(payment)
    Posting.objects.update(posted_at=timezone.now())  # what is older has to be compared by now
    out = StringIO()
    call_command("reconcile", dry_run=True, stdout=out)
    assert f"  disputes  {dispute_id}: $30.00, needs_response\n" in out.getvalue()
    assert "A dry run: nothing was written.\nNo differences.\n" in out.getvalue()
    assert "  balance   balance transactions: 3 new, 0 booked, 0 looked up\n" in out.getvalue()
    for model in (Dispute, BalanceTransaction, StripeEvent, StripeCursor, Reconciliation):
        assert not model.objects.exists()
    tasks.reconcile()
    assert (Dispute.objects.count(), BalanceTransaction.objects.count()) == (1, 3)
    assert prove().is_proved
    books = Posting.objects.count()
    call_command("reconcile", stdout=(out := StringIO()))
    assert out.getvalue().endswith("No differences.\n")
    assert "balance transactions: 0 new, 0 booked, 0 looked up" in out.getvalue()
    assert Posting.objects.count() == books
    first, second = Reconciliation.objects.order_by("id")
    assert (first.differences, second.differences) == (0, 0)
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    assert client.get(reverse("admin:billing_reconciliation_changelist")).status_code == 200
    address = reverse("admin:billing_reconciliation_change", args=[first.pk])
    page = client.get(address).content.decode()
    assert "balance transactions: 3 new, 3 booked, 1 looked up" in page
    client.cookies["django_language"] = "ja"
    page = client.get(address).content.decode()
    assert "残高取引：新規3件、記帳3件、照会1件" in page
    assert "Stripe の残高：帳簿では" in page


def test_a_part_that_fails_stops_no_other_and_a_difference_is_said(
    payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_asked: object) -> None:
        raise payments.PaymentUnavailable("list events: no answer")

    Entry.objects.filter(posting__key__startswith="payment:", amount=30_00).update(amount=31_00)
    monkeypatch.setattr(payments, "events_between", away)
    with capture_logs() as logs:
        found = reconcile(now=timezone.now())
    said = {one.words.english for one in found if one.is_difference}
    assert "failed: list events: no answer" in said
    assert "cash at Stripe: $36.45 in the books, $35.45 by the rows" in said
    assert BalanceTransaction.objects.count() == 2
    row = Reconciliation.objects.get()
    assert row.finished_at is not None
    assert (
        row.differences == len(said) == len([one for one in row.findings if one["is_difference"]])
    )
    errors = {line["text"] for line in logs if line["event"] == "reconcile.difference"}
    assert errors == said
    with pytest.raises(CommandError, match=f"Differences: {len(said)}"):
        call_command("reconcile", stdout=StringIO())


def test_two_runs_at_once_book_it_once(payment: Payment) -> None:
    paid_back(payment)
    at_once(*[lambda: reconcile(now=timezone.now())] * 2)
    assert in_the_books() == at_stripe()
    assert Posting.objects.filter(key__startswith="stripe_fee:").count() == 2
    assert Reconciliation.objects.filter(differences=0).count() == 2
    assert prove().is_proved
