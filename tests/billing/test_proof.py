"""The proof finds whatever does not fit, and nothing else."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from billing.models import (
    Entry,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    InvoiceState,
    InvoiceTax,
    Order,
    Posting,
    Refund,
    RefundState,
)
from billing.proof import prove
from billing.services import invoice_collect
from billing.services.bank import bank_transfer_record
from billing.services.credit_notes import credit_note_issue
from billing.services.refunds import credit_note_refund, refund_send
from tenants.models import Tenant
from tests.billing.books import NOW, issued, write_off
from tests.billing.conftest import SignUpCall, subscribe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    """A tenant with something of everything: paid by all three, open, credited, paid back,
    written off.
    """
    tenant = subscribe(sign_up)
    paid = issued(tenant, 30_00)
    invoice_collect(invoice=paid, now=NOW)
    for amount in (5_00, 5_00):
        note = credit_note_issue(invoice=paid, amount=amount, reason="", actor=None, now=NOW)
        credit_note_refund(credit_note=note, actor=None, now=NOW)
    refund_send(refund=Refund.objects.earliest("id"), now=NOW)
    for currency, amount in (("USD", 12_00), ("JPY", 1200)):
        bank_transfer_record(
            invoice=issued(tenant, 1000, currency=currency), amount=amount, reference=currency,
            received_on=NOW.date(), actor=None, now=NOW,
        )  # fmt: skip
    invoice_collect(invoice=issued(tenant, 9_00), now=NOW)
    issued(tenant, 7_00)
    lost = issued(tenant, 4_00)
    write_off(lost)
    bank_transfer_record(
        invoice=lost, amount=1_00, reference="late", received_on=NOW.date(), actor=None, now=NOW
    )
    return tenant


def wrong() -> set[str]:
    """Return what the proof finds wrong."""
    proof = prove()
    found = {f"{one.currency} {one.account.value}" for one in proof.balances if not one.is_proved}
    found |= {check.words.english for check in proof.checks if check.wrong}
    return found


def test_what_it_says(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    Posting.objects.update(posted_at=NOW)  # what is older has to be compared with Stripe
    out = StringIO()
    call_command("ledger_prove", stdout=out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[:14] == [
        "Accounts: debits less credits, by the ledger and by the rows.",
        "USD receivable $7.00 = $7.00",
        "USD stripe $38.77 = $38.77",  # 6.77 + 30.00 - 5.00 + 7.00
        "USD bank $13.00 = $13.00",
        "USD held -$5.00 = -$5.00",
        "USD revenue -$56.77 = -$56.77",  # 6.77 + 30.00 - 10.00 + 10.00 + 9.00 + 7.00 + 4.00
        "USD losses $3.00 = $3.00",
        "JPY bank ¥1,200 = ¥1,200",
        "JPY credit -¥200 = -¥200",
        "JPY revenue -¥1,000 = -¥1,000",
        "",
        "Checks: how many there are, and what is wrong with them.",
        "20 postings that balance",
        "9 invoice: rows with their posting",
    ]
    assert lines[-1] == "The books are proved."


FAULTS: dict[str, tuple[Callable[[], object], set[str]]] = {
    "an entry says more": (
        lambda: Entry.objects.filter(account="bank", amount=12_00, posting__currency="USD").update(
            amount=13_00
        ),
        {"USD bank", "postings that balance", "payment: rows with their posting"},
    ),
    "a posting is gone": (
        lambda: [
            Entry.objects.filter(posting__key__startswith="refund:").delete(),
            Posting.objects.filter(key__startswith="refund:").delete(),
        ],
        {"USD stripe", "USD held", "refund: rows with their posting"},
    ),
    "a posting is of nothing": (
        lambda: Posting.objects.filter(key__startswith="refund:").update(key="refund:0"),
        {"refund: rows with their posting", "refund: postings with their row"},
    ),
    "a posting is of another currency": (
        lambda: Posting.objects.filter(key__startswith="refund:").update(currency="JPY"),
        {"USD stripe", "USD held", "JPY stripe", "JPY held", "refund: rows with their posting",
         "refund: postings with their row"},
    ),
    "a posting of an unknown kind": (
        lambda: Posting.objects.filter(key__startswith="refund:").update(key="gift:1"),
        {"refund: rows with their posting", "gift: postings with their row"},
    ),
    "an invoice forgot a payment": (
        lambda: Invoice.objects.filter(currency="JPY").update(amount_paid=1000),
        {"JPY credit", "invoices that count what came in and was credited"},
    ),
    "an invoice is said to be paid": (
        lambda: Invoice.objects.filter(state=InvoiceState.OPEN).update(state=InvoiceState.PAID),
        {"USD receivable", "invoices that are paid once nothing is due"},
    ),
    "a write-off was not noted": (
        lambda: [
            Entry.objects.filter(posting__key__startswith="written-off:").delete(),
            Posting.objects.filter(key__startswith="written-off:").delete(),
        ],
        {"USD receivable", "USD losses", "written-off: rows with their posting"},
    ),
    "more was written off than was due": (
        lambda: [
            Entry.objects.filter(posting__key__startswith="written-off:", account=account).update(
                amount=amount
            )
            for account, amount in (("losses", 5_00), ("receivable", -5_00))
        ],
        {"USD receivable", "USD losses", "written-off: rows with their posting"},
    ),
    "more went back than was paid": (
        lambda: Refund.objects.filter(state=RefundState.PENDING).update(amount=26_00),
        {"USD credit", "USD held", "refund_held: rows with their posting",
         "payments not paid back beyond their amount"},
    ),
    "an invoice is gone from the books' years": (
        lambda: InvoiceCounter.objects.update(last=F("last") + 1),
        {"years without a gap in their numbers"},
    ),
    "a number was skipped": (
        lambda: Invoice.objects.filter(currency="JPY").update(sequence=1000),
        {"years without a gap in their numbers"},
    ),
    "a line says more": (
        lambda: InvoiceLine.objects.filter(invoice__currency="JPY").update(amount=1001),
        {"invoices that are the sum of their lines and taxes"},
    ),
    "a tax was not counted": (
        lambda: InvoiceTax.objects.create(
            invoice=Invoice.objects.get(currency="JPY"), country="JP", name="JCT", rate=10,
            net=1000, tax=100,
        ),
        {"invoices that are the sum of their lines and taxes"},
    ),
    "an order was delivered and not invoiced": (
        lambda: Invoice.objects.filter(order__isnull=False).update(order=None),
        {"orders delivered with their invoice"},
    ),
    "an order was paid and nobody noted it": (
        lambda: Order.objects.filter(pk=Order.objects.create(
            tenant=Tenant.objects.get(), purpose="extension", state="refund_due", token="1",
            currency="USD", amount=1_00, payment_intent_id="pi_1", period_start=NOW.date(),
            period_end=NOW.date(), created_at=NOW,
        ).pk),
        {"USD stripe", "USD held", "order: rows with their posting"},
    ),
}  # fmt: skip


@pytest.mark.every_case
@pytest.mark.parametrize("fault", FAULTS)
def test_what_it_finds(tenant: Tenant, fault: str) -> None:
    assert wrong() == set()
    do, expected = FAULTS[fault]
    do()
    assert wrong() == expected
    out = StringIO()
    with pytest.raises(CommandError, match="not proved"):
        call_command("ledger_prove", stdout=out)
    assert "≠" in out.getvalue()
