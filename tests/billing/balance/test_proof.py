"""The proof of cash: the books against Stripe's balance transactions, and what is in transit."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing import payments
from billing.models import (
    BalanceTransaction,
    Order,
    OrderState,
    Payment,
    Posting,
    Refund,
    StripeCursor,
)
from billing.payments import StripeTransaction
from billing.proof import prove
from billing.services import balance, invoice_collect, order_check, order_refund
from billing.services.balance import balance_fetch
from billing.services.missed_disputes import disputes_fetch
from tenants.models import Tenant
from tests.billing.balance.conftest import LATER, wrong
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, booked, issued
from tests.billing.conftest import SignUpCall, buy, stripe_client, subscribe
from tests.billing.orders import extension

pytestmark = pytest.mark.django_db(transaction=True)


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
