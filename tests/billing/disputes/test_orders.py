"""Disputes over orders that could not be delivered: the money is held, and goes back once."""

from dataclasses import replace
from typing import Any

import pytest

from billing import payments
from billing.models import (
    BalanceTransaction,
    Dispute,
    Order,
    OrderState,
    Payment,
    SetOff,
    UnowedRefund,
)
from billing.payments import StripeDispute, StripeRefund
from billing.proof import prove
from billing.proof.cash import differences
from billing.services import ledger
from billing.services.disputes import dispute_settle
from billing.services.look_ups import refunds_note
from billing.services.order_refunds import order_refund, order_refund_settle
from tenants.models import AuditEntry, Tenant
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, booked
from tests.billing.conftest import becomes, stripe_client
from tests.billing.disputes.conftest import BEFORE, LOST, settle

pytestmark = pytest.mark.django_db(transaction=True)


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
