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
