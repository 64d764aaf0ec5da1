"""What is credited of a disputed payment: kept back meanwhile, and never paid twice."""

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from billing import payments, selectors
from billing.balances import credit_balance
from billing.models import Dispute, Payment, RefundState, SetOff
from billing.payments import StripeDispute
from billing.proof import prove
from billing.services.bank import bank_transfer_record
from billing.services.credit import credit_spend
from billing.services.credit_notes import credit_note_issue
from billing.services.disputes import dispute_settle
from billing.services.refunds import credit_note_refund, refund_request, refund_send
from tenants.errors import Refused
from tenants.models import User
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, booked, issued
from tests.billing.disputes.conftest import settle
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


def note_of(payment: Payment) -> object:
    """Return what the tenant is told of the payment's invoice."""
    invoices = selectors.invoices(tenant=payment.invoice.tenant)
    return selectors.invoice_row(invoices.get(pk=payment.invoice_id))["note"]


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
