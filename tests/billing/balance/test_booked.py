"""Stripe's balance transactions: what they cost, pay out and exchange is booked, once."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import stripe

from billing import payments
from billing.models import BalanceTransaction, Payment, StripeCursor
from billing.payments import StripeTransaction
from billing.proof import prove
from billing.services import balance, invoice_collect
from billing.services.balance import balance_fetch
from billing.services.ledger import transactions_post
from billing.services.missed_disputes import disputes_fetch
from tenants.models import Tenant
from tests.billing.balance.conftest import LATER, at_stripe, in_the_books, paid_back, wrong
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, booked, issued
from tests.billing.conftest import stripe_client

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_at_stripe_by_the_books_is_what_stripe_says(
    payment: Payment, tenant: Tenant, bank: Bank
) -> None:
    lost = issued(tenant, 20_00)
    invoice_collect(invoice=lost, now=NOW)
    for amount, currency in ((40_00, "USD"), (4_500, "JPY")):
        invoice_collect(invoice=issued(tenant, amount, currency=currency), now=NOW)
    paid_back(payment)
    bank.decide(bank.dispute(lost.payments.get()), "lost")
    bank.decide(bank.dispute(payment), "won")
    disputes_fetch(now=NOW)
    bank.control("clock", now="2026-12-05T00:00:00Z")
    bank.control("fee", amount=2_00, currency="usd", description="Monthly fee")
    payout = bank.control("payout", currency="jpy")["id"]
    bank.control("payout", currency="usd")
    bank.decide(payout, "failed")
    proof = prove()
    assert (proof.is_proved, len(proof.in_transit)) == (True, 4)
    before = balances()
    assert balance_fetch(now=LATER, dry_run=True).fetched == BalanceTransaction.objects.count() + 13
    assert (balances(), StripeCursor.objects.filter(name="balance").count()) == (before, 0)
    run = balance_fetch(now=LATER)
    assert (run.fetched, run.booked, run.looked_up, run.failed) == (13, 13, 0, {})
    assert in_the_books() == at_stripe() == {"JPY": 4_338}
    proof = prove()
    assert (proof.is_proved, proof.in_transit, wrong()) == (True, [], {})
    # 0.24 + 1.08 + 0.72 + 1.44 + 15.00 + 15.00 + 2.00 dollars and 162 yen
    assert balances()["fees"] == 35_48 + 162
    assert balances()["bank"] == 6_77 + 30_00 + 40_00 - 5_00 - 35_48
    failure = BalanceTransaction.objects.get(type="payout_failure")
    assert booked(f"payout:{failure.stripe_id}") == {"bank": -4_338, "stripe": 4_338}
    again = balance_fetch(now=LATER)
    assert (again.fetched, again.booked) == (0, 0)


def test_a_payout_names_what_it_paid_out_once_stripe_knows_all_of_it(
    payment: Payment, tenant: Tenant, bank: Bank
) -> None:
    def paid_out() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        rows = BalanceTransaction.objects.exclude(payout_id="")
        for payout_id, type_ in rows.values_list("payout_id", "type"):
            found.setdefault(payout_id, set()).add(type_)
        return found

    invoice_collect(invoice=issued(tenant, 4_500, currency="JPY"), now=NOW)
    bank.control("clock", now="2026-12-05T00:00:00Z")
    manual = stripe_client().v1.payouts.create({"amount": 1_000, "currency": "jpy"}).id
    automatic = bank.control("payout", currency="usd")["id"]
    run = balance_fetch(now=LATER)
    assert (run.payouts_in_progress, paid_out()) == (1, {manual: {"payout"}})
    bank.decide(automatic, "reconciled")
    run = balance_fetch(now=LATER)
    assert (run.payouts_in_progress, run.failed) == (0, {})
    assert paid_out() == {manual: {"payout"}, automatic: {"charge", "payout"}}
    assert prove().is_proved


def test_where_we_die_while_it_is_booked_it_is_booked_once(
    payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(**parameters: object) -> None:
        transactions_post(**parameters)  # type: ignore[arg-type]  # as it was called
        raise OSError("The power is gone.")

    with monkeypatch.context() as patched:
        patched.setattr(balance, "transactions_post", dying)
        with pytest.raises(OSError, match="power"):
            balance_fetch(now=LATER)
    assert "fees" not in balances()
    assert prove().is_proved is False  # what was fetched is of nothing, until it is booked
    assert balance_fetch(now=LATER).booked == 2
    assert balances()["fees"] == 24 + 1_08
    assert prove().is_proved


def test_each_currency_balances_where_stripe_settles_in_another(
    payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local payments exchange nothing: what Stripe would say of a Japanese account is made up
    of what they say, at 150 yen a dollar.
    """
    paid_back(payment)
    real = payments.transactions_since

    def in_yen(**asked: object) -> Iterator[StripeTransaction]:
        for one in real(**asked):  # type: ignore[arg-type]  # as it was asked
            amount, fee = one.amount * 3 // 2, one.fee * 3 // 2
            yield replace(one, currency="JPY", amount=amount, fee=fee, net=amount - fee)

    monkeypatch.setattr(payments, "transactions_since", in_yen)
    balance_fetch(now=LATER)
    # 6.77 + 30.00 - 5.00 in dollars; 1,015 + 4,500 - 750 yen, less 36 + 162 of fees
    assert in_the_books() == {"JPY": 4_567}
    charge = BalanceTransaction.objects.get(payment_intent_id=payment.payment_intent_id, fee__gt=0)
    assert booked(f"exchanged_from:{charge.stripe_id}") == {"exchange": 30_00, "stripe": -30_00}
    assert booked(f"exchanged_to:{charge.stripe_id}") == {"exchange": -4_500, "stripe": 4_500}
    assert {one.currency: one.ledger for one in prove().balances if one.account == "exchange"} == {
        "USD": 31_77, "JPY": -4_765,
    }  # fmt: skip
    assert prove().is_proved


@pytest.mark.parametrize(
    ("type", "source", "moved"),
    [
        ("stripe_fee", {"amount": 100_00, "currency": "usd"}, ("USD", -15_00)),
        ("stripe_fee", {"amount": 15_000, "currency": "jpy"}, ("USD", -15_00)),
        ("adjustment", {"amount": 100_00, "currency": "usd"}, ("USD", -15_00)),  # a part
        ("adjustment", {"amount": 2_250, "currency": "jpy"}, ("JPY", -2_250)),
        ("adjustment", {"net_amount": 15_00, "currency": "usd"}, ("USD", -15_00)),
        ("adjustment", {"net_amount": 2_250, "currency": "jpy"}, ("USD", -15_00)),
    ],
)
def test_what_moved_is_the_whole_of_its_source_only_where_that_was_exchanged(
    monkeypatch: pytest.MonkeyPatch,
    type: str,
    source: dict[str, object],
    moved: tuple[str, int],
) -> None:
    """Said by what Stripe documents: a cash balance transaction, the last, has no `amount`."""
    said = {
        "id": "txn_1", "type": type, "currency": "usd", "amount": -15_00, "fee": 0,
        "net": -15_00, "created": 1_800_000_000, "available_on": 1_800_000_000,
        "source": {"id": "re_1", "object": "refund", **source},
    }  # fmt: skip
    entry = stripe.BalanceTransaction.construct_from(said, None)
    monkeypatch.setattr("billing.payments.balance._listed", lambda _params: iter([entry]))
    (one,) = payments.transactions_since(since=NOW)
    assert (one.source_currency, one.source_amount) == moved
