"""Refunds that somebody made in Stripe's dashboard: in the books, whatever came first, once."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing import payments, selectors
from billing.balances import credit_balance, refundable
from billing.models import (
    Customer,
    EventStatus,
    Invoice,
    InvoiceState,
    Payment,
    Refund,
    RefundState,
    StripeEvent,
)
from billing.proof import prove
from billing.services import event_process, invoice_collect
from billing.services.credit import credit_spend
from billing.services.credit_notes import credit_note_issue
from billing.services.refunds import credit_note_refund, refund_send, refunds_waiting
from tenants.models import Tenant, User
from tests.billing.books import NOW, balances, collected, issued
from tests.billing.conftest import SignUpCall, becomes, deliver, events, stripe_client
from tests.billing.saved_cards import carded, save
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return carded(sign_up)


@pytest.fixture
def paid(tenant: Tenant) -> Payment:
    """A card payment of 30.00."""
    return collected(tenant, 30_00)


def in_the_dashboard(payment: Payment, amount: int) -> str:
    """Pay so much back at Stripe, without any metadata of ours; return the refund's id."""
    intent = payment.payment_intent_id
    made = stripe_client().v1.refunds.create({"payment_intent": intent, "amount": amount})
    return made.id


def tell(payment: Payment, *types: str) -> None:
    """Deliver the events of a payment of these types, the newest first and each twice."""
    of_it = [
        event
        for event in events()
        if event.to_dict()["data"]["object"].get("payment_intent") == payment.payment_intent_id
    ]
    for event in reversed(of_it):
        if event.type in types:
            deliver(event)
            deliver(event)
    for stored in StripeEvent.objects.all():
        assert event_process(event=stored, now=NOW) == EventStatus.PROCESSED


def credited(payment: Payment, amount: int) -> Invoice:
    return credit_note_issue(invoice=payment.invoice, amount=amount, reason="", actor=None, now=NOW)


def spare(payment: Payment) -> int:
    return refundable(payment=payment, invoice=Invoice.objects.get(pk=payment.invoice_id))


@pytest.mark.parametrize("event", ["refund.created", "charge.refunded"])
def test_it_is_a_loss_until_it_is_credited(paid: Payment, tenant: Tenant, event: str) -> None:
    ids = {in_the_dashboard(paid, 10_00), in_the_dashboard(paid, 20_00)}
    tell(paid, event)
    refunds = Refund.objects.all()
    assert {one.stripe_id for one in refunds} == ids
    assert all(one.made_at_stripe and one.state == RefundState.SUCCEEDED for one in refunds)
    assert balances() == {"losses": 30_00, "revenue": -30_00}
    assert prove().is_proved
    invoice = Invoice.objects.get()
    assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, 0)
    # An operator finds that a part was owed, and then that all of it was.
    for amount, books in ((12_00, {"losses": 18_00, "revenue": -18_00}), (18_00, {})):
        note = credited(paid, amount)
        assert balances() == books
        assert credit_balance(tenant=tenant, currency="USD") == spare(paid) == 0
        assert credit_note_refund(credit_note=note, actor=None, now=NOW) == []
        assert prove().is_proved


def test_what_was_credited_before_is_paid_back_by_it(paid: Payment, tenant: Tenant) -> None:
    credited(paid, 10_00)
    credit_spend(invoice=issued(tenant, 4_00), now=NOW)
    in_the_dashboard(paid, 15_00)
    tell(paid, "refund.created")
    # Of 6.00 that were left to it, none is; the rest nobody owed.
    assert credit_balance(tenant=tenant, currency="USD") == 0
    assert balances() == {"losses": 9_00, "revenue": -24_00, "stripe": 15_00}
    assert prove().is_proved


def test_while_it_is_under_way_its_credit_cannot_be_spent(sign_up: SignUpCall) -> None:
    tenant = sign_up("free").tenant
    save(tenant, "pm_card_pendingRefund")
    invoice = issued(tenant, 30_00)
    invoice_collect(invoice=invoice, now=NOW)
    payment = invoice.payments.get()
    credited(payment, 30_00)
    first, second = in_the_dashboard(payment, 10_00), in_the_dashboard(payment, 5_00)
    tell(payment, "refund.created")
    assert balances() == {"credit": -30_00, "stripe": 30_00}
    assert credit_balance(tenant=tenant, currency="USD") == spare(payment) == 15_00
    assert prove().is_proved
    becomes(first, "failed")
    becomes(second, "succeeded")
    for refund in refunds_waiting():  # no event tells: the sweep asks
        refund_send(refund=refund, now=NOW)
    assert dict(Refund.objects.values_list("stripe_id", "state")) == {
        first: RefundState.FAILED, second: RefundState.SUCCEEDED,
    }  # fmt: skip
    assert balances() == {"credit": -25_00, "stripe": 25_00}
    assert credit_balance(tenant=tenant, currency="USD") == spare(payment) == 25_00
    assert prove().is_proved
    # A bank sends it back, and that is told before anything else of a third.
    becomes(second, "failed")
    tell(payment, "refund.failed")
    assert balances() == {"credit": -30_00, "stripe": 30_00}
    third = in_the_dashboard(payment, 5_00)
    becomes(third, "failed")
    tell(payment, "refund.updated", "refund.created")
    refund = Refund.objects.get(stripe_id=third)
    assert (refund.state, refund.failure_message) == ("failed", "expired_or_canceled_card")
    assert balances() == {"credit": -30_00, "stripe": 30_00}
    assert prove().is_proved


def test_ours_that_is_refused_because_of_it_is_no_credit(paid: Payment, tenant: Tenant) -> None:
    (ours,) = credit_note_refund(credit_note=credited(paid, 10_00), actor=None, now=NOW)
    in_the_dashboard(paid, 30_00)
    tell(paid, "refund.created")
    assert balances() == {"held": -10_00, "losses": 30_00, "revenue": -20_00}
    assert prove().is_proved
    assert refund_send(refund=ours, now=NOW) == RefundState.FAILED
    assert credit_balance(tenant=tenant, currency="USD") == 0
    assert balances() == {"losses": 20_00, "revenue": -20_00}
    assert prove().is_proved


@pytest.mark.parametrize(
    ("by_hand", "told"),
    [
        (30_00, "It could not go back to the card once more: you have it back already."),
        (
            18_00,
            "You have $18.00 of it back already. The rest could not go back to the card, and is"
            " your credit.",
        ),
    ],
)
def test_the_tenant_is_told_of_no_credit_that_is_set_off(
    paid: Payment, tenant: Tenant, by_hand: int, told: str
) -> None:
    note = credited(paid, 30_00)
    (ours,) = credit_note_refund(credit_note=note, actor=None, now=NOW)
    in_the_dashboard(paid, by_hand)
    tell(paid, "refund.created")
    assert refund_send(refund=ours, now=NOW) == RefundState.FAILED
    assert credit_balance(tenant=tenant, currency="USD") == 30_00 - by_hand
    row = selectors.invoice_row(selectors.invoices(tenant=tenant).get(pk=note.pk))
    assert row["note"] == told


def test_told_before_the_payment_that_first(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice, real = issued(tenant, 30_00), payments.intent_create

    def dying(**parameters: Any) -> None:
        real(**parameters)
        raise KeyboardInterrupt

    monkeypatch.setattr(payments, "intent_create", dying)
    with pytest.raises(KeyboardInterrupt):
        invoice_collect(invoice=invoice, now=NOW)
    payment = invoice.payments.get()
    customer = Customer.objects.get().stripe_id
    (made,) = stripe_client().v1.payment_intents.list({"customer": customer}).data
    in_the_dashboard(Payment(payment_intent_id=made.id), 30_00)
    tell(Payment(payment_intent_id=made.id), "refund.created")
    assert Refund.objects.get().payment == payment
    assert balances() == {"losses": 30_00, "revenue": -30_00}
    assert prove().is_proved


def test_operators_see_that_it_was_made_at_stripe(paid: Payment, client: Client) -> None:
    in_the_dashboard(paid, 10_00)
    tell(paid, "refund.created")
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    page = client.get(reverse("admin:billing_refund_changelist"), {"made_at_stripe__exact": 1})
    assert page.status_code == 200
    assert "made at Stripe" in page.content.decode()
    assert str(paid) in page.content.decode()
