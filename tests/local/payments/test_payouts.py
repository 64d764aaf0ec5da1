"""Payouts: what leaves the balance for the bank, and what becomes of it."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.local.payments.conftest import charge

Control = Callable[..., Any]
MAY_1, MAY_3, MAY_5 = "2026-05-01T00:00:00Z", "2026-05-03T00:00:00Z", "2026-05-05T00:00:00Z"


def amounts(client: stripe.StripeClient, **filters: Any) -> list[tuple[str, int]]:
    found = client.v1.balance_transactions.list({"limit": 100, **filters})  # type: ignore[arg-type]
    return [(entry.type, entry.net) for entry in found.data]


def on_the_balance(client: stripe.StripeClient) -> dict[str, int]:
    return {part.currency: part.amount for part in client.v1.balance.retrieve().available}


def types(client: stripe.StripeClient) -> list[str]:
    return [str(event.type) for event in client.v1.events.list({"type": "payout.*"}).data][::-1]


def test_by_schedule_all_that_is_available_leaves(
    client: stripe.StripeClient, control: Control
) -> None:
    control("clock", now=MAY_1)
    charge(client, amount=10_000)
    charge(client, amount=4_500, currency="jpy")
    refunded = charge(client, amount=1_000)
    client.v1.refunds.create({"payment_intent": refunded.id, "amount": 400})
    assert on_the_balance(client) == {}
    control("clock", now=MAY_3)
    charge(client, amount=7_000)  # not available yet
    assert on_the_balance(client) == {"jpy": 4_338, "usd": 9_640 + 964 - 400}

    made = control("payout", currency="usd")
    payout = client.v1.payouts.retrieve(made["id"], {"expand": ["balance_transaction"]})
    assert (payout.amount, payout.automatic, payout.status) == (10_204, True, "pending")
    assert payout.arrival_date == payout.created + 172_800
    assert isinstance(payout.balance_transaction, stripe.BalanceTransaction)
    assert payout.balance_transaction.source == payout.id
    assert payout.reconciliation_status == "in_progress"
    assert amounts(client, payout=payout.id) == [("payout", -10_204)]
    control("outcome", id=payout.id, outcome="reconciled")
    assert amounts(client, payout=payout.id) == [
        ("payout", -10_204),
        ("refund", -400),
        ("charge", 964),
        ("charge", 9_640),
    ]
    assert on_the_balance(client) == {"jpy": 4_338, "usd": 0}

    control("clock", now=MAY_5)
    assert [p.id for p in client.v1.payouts.list({"status": "paid"}).data] == [payout.id]
    arrived = {"arrival_date": {"lte": payout.arrival_date}}
    assert len(client.v1.payouts.list(arrived).data) == 1  # type: ignore[arg-type]
    assert types(client) == ["payout.created", "payout.reconciliation_completed", "payout.paid"]


def test_one_that_fails_comes_back_and_is_in_the_next(
    client: stripe.StripeClient, control: Control
) -> None:
    control("clock", now=MAY_1)
    charge(client, amount=1_000)
    control("clock", now=MAY_3)
    first = control("payout", currency="usd")
    control("outcome", id=first["id"], outcome="paid")
    control("outcome", id=first["id"], outcome="failed")  # the bank sends it back, days later
    failed = client.v1.payouts.retrieve(
        first["id"], {"expand": ["failure_balance_transaction.source"]}
    )
    assert (failed.status, failed.failure_code) == ("failed", "account_closed")
    back = failed.failure_balance_transaction
    assert isinstance(back, stripe.BalanceTransaction)
    assert (back.type, back.reporting_category, back.amount) == (
        "payout_failure",
        "payout_reversal",
        964,
    )
    assert isinstance(back.source, stripe.Payout)
    again = control("payout", currency="usd")
    control("clock", now="2026-05-03T01:00:00Z")
    assert amounts(client, payout=again["id"]) == [("payout", -964), ("payout_failure", 964)]
    assert types(client)[2:5] == ["payout.paid", "payout.failed", "payout.created"]


def test_by_hand(client: stripe.StripeClient, control: Control) -> None:
    control("clock", now=MAY_1)
    charge(client, amount=1_000)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payouts.create({"amount": 1, "currency": "usd"})
    assert caught.value.code == "balance_insufficient"
    control("clock", now=MAY_3)
    payout = client.v1.payouts.create(
        {"amount": 600, "currency": "usd", "metadata": {"why": "rent"}}
    )
    assert (payout.automatic, payout.status) == (False, "pending")
    assert payout.reconciliation_status == "not_applicable"
    assert on_the_balance(client) == {"usd": 364}
    with pytest.raises(stripe.InvalidRequestError, match="only be filtered on automatic"):
        amounts(client, payout=payout.id)


def test_a_fee_that_belongs_to_no_payment(client: stripe.StripeClient, control: Control) -> None:
    control("fee", amount=500, currency="usd", description="Radar (2026-05-01)")
    (fee,) = client.v1.balance_transactions.list({"type": "stripe_fee", "expand": ["data.source"]})
    assert (fee.amount, fee.fee, fee.net) == (-500, 0, -500)
    assert (fee.reporting_category, fee.source) == ("fee", None)
    assert fee.description == "Radar (2026-05-01)"
