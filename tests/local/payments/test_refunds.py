"""Refunds, and what they and charges leave on the balance."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.local.payments.conftest import charge


def test_in_parts_until_nothing_is_left(client: stripe.StripeClient) -> None:
    intent = charge(client, amount=1000)
    first = client.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 300, "reason": "requested_by_customer"}
    )
    assert first.id.startswith("re_")
    assert (first.status, first.amount, first.currency) == ("succeeded", 300, "usd")
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded") as caught:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 701})
    assert caught.value.param == "amount"
    assert isinstance(intent.latest_charge, str)
    rest = client.v1.refunds.create({"charge": intent.latest_charge})
    assert rest.amount == 700
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert again.value.code == "charge_already_refunded"
    refunded = client.v1.charges.retrieve(intent.latest_charge)
    assert (refunded.amount_refunded, refunded.refunded) == (1000, True)
    listed = client.v1.refunds.list({"payment_intent": intent.id}).data
    assert [refund.id for refund in listed] == [rest.id, first.id]
    assert client.v1.refunds.retrieve(first.id).charge == intent.latest_charge


def test_its_events(client: stripe.StripeClient) -> None:
    refund = client.v1.refunds.create({"payment_intent": charge(client).id, "amount": 1})
    client.v1.refunds.update(refund.id, {"metadata": {"credit_note": "CN-1"}})
    found = client.v1.events.list({"types": ["refund.*", "charge.refund*"]}).data
    assert [event.type for event in found] == [
        "charge.refund.updated",
        "refund.updated",
        "charge.refunded",
        "refund.created",
    ]
    refunded, updated = found[2].data.to_dict(), found[0].data.to_dict()
    assert refunded["previous_attributes"] == {"amount_refunded": 0, "refunded": False}
    assert updated["object"]["metadata"] == {"credit_note": "CN-1"}


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "payment_intent"),
        ({"charge": "ch_x", "payment_intent": "pi_x"}, "payment_intent"),
        ({"charge": "ch_x"}, "charge"),
        ({"payment_intent": "pi_x"}, "payment_intent"),
        ({"payment_intent": "pi_x", "amount": 0}, "amount"),
        ({"payment_intent": "pi_x", "reason": "because"}, "reason"),
    ],
)
def test_refusals(client: stripe.StripeClient, params: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create(params)
    assert caught.value.param == param


def test_what_was_never_paid_is_not_refunded(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        charge(client, payment_method="pm_card_visa_chargeDeclined")
    error = declined.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert error.charge is not None
    for params in ({"payment_intent": error.payment_intent.id}, {"charge": error.charge}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create(params)  # type: ignore[arg-type]
    assert client.v1.refunds.list().data == []


def test_the_balance(client: stripe.StripeClient, control: Callable[..., Any]) -> None:
    control("clock", now="2026-03-01T00:00:00Z")
    intent = charge(client, amount=4500, currency="jpy")
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    back, paid = client.v1.balance_transactions.list().data
    assert (paid.amount, paid.fee, paid.net, paid.type) == (4500, 162, 4338, "charge")
    assert (back.amount, back.fee, back.net, back.type) == (-500, 0, -500, "refund")
    assert (paid.source, back.source) == (intent.latest_charge, refund.id)
    assert (paid.status, paid.available_on) == ("pending", paid.created + 172_800)
    control("clock", now="2026-03-03T00:00:00Z")
    assert client.v1.balance_transactions.retrieve(paid.id).status == "available"
    assert client.v1.balance_transactions.list({"type": "refund"}).data[0].id == back.id


def test_a_card_whose_refund_succeeds_later(
    client: stripe.StripeClient, control: Callable[..., Any]
) -> None:
    control("clock", now="2026-03-01T00:00:00Z")
    intent = charge(client, payment_method="pm_card_pendingRefund")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert client.v1.balance_transactions.list({"type": "refund"}).data == []
    control("clock", now="2026-03-01T00:00:59Z")
    assert client.v1.refunds.retrieve(refund.id).status == "pending"
    control("clock", now="2026-03-01T00:01:00Z")
    done = client.v1.refunds.retrieve(refund.id, {"expand": ["balance_transaction"]})
    assert done.status == "succeeded"
    assert isinstance(done.balance_transaction, stripe.BalanceTransaction)
    assert done.balance_transaction.amount == -500
    (updated,) = client.v1.events.list({"type": "refund.updated"}).data
    assert updated.data.to_dict()["previous_attributes"] == {"status": "pending"}


def test_a_card_whose_refund_fails_later(
    client: stripe.StripeClient, control: Callable[..., Any]
) -> None:
    control("clock", now="2026-03-01T00:00:00Z")
    intent = charge(client, payment_method="pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 200})
    assert refund.status == "succeeded"
    control("clock", now="2026-03-01T00:01:00Z")
    failed = client.v1.refunds.retrieve(
        refund.id, {"expand": ["failure_balance_transaction", "charge"]}
    )
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    back = failed.failure_balance_transaction
    assert isinstance(back, stripe.BalanceTransaction)
    assert (back.amount, back.type, back.source) == (200, "refund_failure", refund.id)
    assert isinstance(failed.charge, stripe.Charge)
    assert (failed.charge.amount_refunded, failed.charge.refunded) == (0, False)
    told = client.v1.events.list({"types": ["refund.*", "charge.refund.updated"]}).data
    assert [event.type for event in told] == [
        "charge.refund.updated",
        "refund.updated",
        "refund.failed",
        "refund.created",
    ]
    with pytest.raises(AssertionError, match="has a status of failed"):
        control("outcome", id=refund.id, outcome="succeeded")


def test_a_bank_may_send_any_refund_back(
    client: stripe.StripeClient, control: Callable[..., Any]
) -> None:
    refund = client.v1.refunds.create({"payment_intent": charge(client).id})
    control("outcome", id=refund.id, outcome="failed")
    assert client.v1.refunds.retrieve(refund.id).status == "failed"
    assert client.v1.refunds.create({"charge": str(refund.charge)}).amount == 500
