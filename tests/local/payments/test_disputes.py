"""Disputes: opened by a test card or a control, decided by evidence, a control, or in silence."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.local.payments.conftest import charge

Control = Callable[..., Any]


def only(client: stripe.StripeClient) -> stripe.Dispute:
    (dispute,) = client.v1.disputes.list().data
    return dispute


def told(client: stripe.StripeClient) -> list[str]:
    found = client.v1.events.list({"type": "charge.dispute.*"}).data
    return [event.type.removeprefix("charge.dispute.") for event in found][::-1]


def moved(client: stripe.StripeClient) -> list[tuple[str, int, int]]:
    found = client.v1.balance_transactions.list({"type": "adjustment"}).data
    return [(entry.reporting_category, entry.amount, entry.fee) for entry in found][::-1]


def answer(client: stripe.StripeClient, dispute: stripe.Dispute, text: str) -> stripe.Dispute:
    return client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}})


def test_a_chargeback_takes_the_money_and_winning_brings_it_back(
    client: stripe.StripeClient,
) -> None:
    intent = charge(client, amount=4_200, payment_method="pm_card_createDispute")
    dispute = only(client)
    assert (dispute.amount, dispute.currency, dispute.status) == (4_200, "usd", "needs_response")
    assert (dispute.reason, dispute.payment_intent) == ("fraudulent", intent.id)
    assert dispute.charge == intent.latest_charge
    assert not dispute.is_charge_refundable
    (withdrawn,) = dispute.balance_transactions
    assert (withdrawn.net, withdrawn.source) == (-5_700, dispute.id)
    assert client.v1.charges.retrieve(str(dispute.charge)).disputed
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"

    staged = client.v1.disputes.update(
        dispute.id, {"evidence": {"customer_name": "Alice"}, "submit": False}
    )
    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    assert answer(client, dispute, "winning_evidence").status == "under_review"
    won = client.v1.disputes.retrieve(dispute.id)
    assert (won.status, won.evidence.customer_name) == ("won", "Alice")
    assert [entry.net for entry in won.balance_transactions] == [-5_700, 4_200]
    assert moved(client) == [("dispute", -4_200, 1_500), ("dispute_reversal", 4_200, 0)]
    assert told(client) == [
        "created",
        "funds_withdrawn",
        "updated",
        "updated",
        "funds_reinstated",
        "closed",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="it is won"):
        client.v1.disputes.close(dispute.id)
    assert client.v1.refunds.create({"payment_intent": intent.id}).amount == 4_200


@pytest.mark.parametrize("how", ["evidence", "close", "control", "silence"])
def test_lost(client: stripe.StripeClient, control: Control, how: str) -> None:
    control("clock", now="2026-05-01T00:00:00Z")
    intent = charge(client, currency="jpy")
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    control("outcome", id=intent.latest_charge, outcome="product_not_received")
    dispute = only(client)
    assert (dispute.amount, dispute.reason) == (400, "product_not_received")
    match how:
        case "evidence":
            answer(client, dispute, "losing_evidence")
        case "close":
            client.v1.disputes.close(dispute.id)
        case "control":
            control("outcome", id=dispute.id, outcome="lost")
        case "silence":
            control("clock", now="2026-05-21T00:00:00Z")
    assert only(client).status == "lost"
    assert moved(client) == [("dispute", -400, 1_500)]
    assert told(client)[-1] == "closed"


def test_a_part_is_disputed_and_half_of_that_comes_back(
    client: stripe.StripeClient, control: Control
) -> None:
    intent = charge(client, amount=4_201)
    control("outcome", id=intent.latest_charge, outcome="part_not_received")
    dispute = only(client)
    assert (dispute.amount, dispute.reason) == (2_101, "product_not_received")
    control("outcome", id=dispute.id, outcome="partially_won")
    assert only(client).status == "lost"
    assert moved(client) == [("dispute", -2_101, 1_500), ("dispute_reversal", 1_051, 0)]
    assert told(client) == ["created", "funds_withdrawn", "funds_reinstated", "closed"]


def test_an_inquiry_takes_nothing_until_it_is_escalated(client: stripe.StripeClient) -> None:
    charge(client, payment_method="pm_card_createDisputeInquiry")
    inquiry = only(client)
    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    assert inquiry.is_charge_refundable
    answer(client, inquiry, "escalate_inquiry_evidence")
    chargeback = client.v1.disputes.retrieve(inquiry.id)
    assert (chargeback.status, chargeback.is_charge_refundable) == ("needs_response", False)
    assert moved(client) == [("dispute", -500, 1_500)]
    assert told(client) == ["created", "updated", "updated", "funds_withdrawn"]


def test_an_inquiry_that_is_answered_is_closed(client: stripe.StripeClient) -> None:
    charge(client, payment_method="pm_card_createDisputeInquiry")
    answer(client, only(client), "winning_evidence")
    assert only(client).status == "warning_closed"
    assert moved(client) == []
    assert told(client) == ["created", "updated", "closed"]
    closed, updated, _created = client.v1.events.list({"type": "charge.dispute.*"}).data
    assert updated.request is not None
    assert updated.request.id is not None
    assert closed.request is not None
    assert closed.request.id is None  # the bank's, not of the request that met it
