"""Every night all is compared with Stripe: what is found is booked, and differences are said."""

from io import StringIO

import pytest
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
    Payment,
    Posting,
    Reconciliation,
    StripeCursor,
    StripeEvent,
)
from billing.proof import prove
from billing.services import reconcile
from tenants.models import Tenant, User
from tests.billing.balance.conftest import at_stripe, in_the_books, paid_back
from tests.billing.bank import Bank
from tests.billing.books import NOW
from tests.billing.conftest import buy, stripe_client
from tests.billing.orders import extension
from tests.billing.races import at_once
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


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
