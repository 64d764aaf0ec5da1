"""Each test has an account at Stripe of its own: what moves in it, by Stripe and by the books."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from billing.models import Payment, Refund
from billing.proof import prove
from billing.services.credit_notes import credit_note_issue
from billing.services.refunds import credit_note_refund, refund_send
from portal.local.payments.server import LocalPayments
from tenants.models import Tenant
from tests.billing.bank import Bank
from tests.billing.books import NOW, collected
from tests.billing.conftest import SignUpCall, stripe_client, subscribe
from tests.services import local_payments_running

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
    return collected(tenant, 30_00)


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
