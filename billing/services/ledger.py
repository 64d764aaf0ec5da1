"""Write the books: each event once, in the transaction that makes it so."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import F, Value
from django.db.models.functions import Concat

from billing.models import (
    Account,
    BalanceTransaction,
    Entry,
    Invoice,
    InvoiceState,
    Order,
    Payment,
    PaymentMethod,
    Posting,
    Refund,
    UnowedRefund,
)
from billing.models.balance import PAYOUTS
from billing.sql import Dashed, insert_from
from tenants.ids import Ids
from tenants.models import Tenant


def post(
    *,
    key: str,
    entries: Mapping[Account, int],
    currency: str,
    now: datetime,
    tenant: Tenant | None = None,
    invoice: Invoice | None = None,
) -> Posting:
    """Write a posting, debits above zero, in minor units; one of this key is left as it is.

    Call it in the transaction of what it notes. Raise ValueError where it does not balance.
    """
    entries = {account: amount for account, amount in entries.items() if amount}
    if sum(entries.values()):
        raise ValueError(f"{key} does not balance: {entries}")
    posting, is_new = Posting.objects.get_or_create(
        key=key,
        defaults={
            "tenant": tenant,
            "invoice": invoice,
            "currency": currency,
            "posted_at": now,
        },
    )
    if is_new:
        Entry.objects.bulk_create(
            Entry(posting=posting, account=account, amount=amount)
            for account, amount in entries.items()
        )
    return posting


def invoices_post(*, invoices: Sequence[Invoice], now: datetime) -> None:
    """Note that invoices were issued: the tenants owe them, for what was sold and for tax.

    All at once, of the rows as they were written. Raise
    django.db.IntegrityError where one was noted already.
    """
    ids = Ids(invoice.pk for invoice in invoices)
    insert_from(
        Posting,
        rows=Invoice.objects.filter(pk__in=ids),
        key=Concat(Value("invoice:"), Dashed(F("uuid"))),
        tenant=F("tenant"),
        invoice=F("pk"),
        currency=F("currency"),
        posted_at=Value(now),
    )
    postings = Posting.objects.filter(invoice__in=ids)  # nothing else was noted of them yet
    for account, amount in (
        (Account.RECEIVABLE, F("invoice__total")),
        (Account.REVENUE, -F("invoice__subtotal")),
        (Account.TAX, -F("invoice__tax")),
    ):
        insert_from(
            Entry,
            rows=postings.alias(booked=amount).exclude(booked=0),
            posting=F("pk"),
            account=Value(account),
            amount=amount,
        )


def credit_note_post(*, note: Invoice, invoice: Invoice, now: datetime) -> Posting:
    """Note that a credit note was issued, before its invoice counts it.

    It takes off what is owed first, or was written off as lost; the rest was paid already, and is
    the tenant's credit.
    """
    owed = min(-note.total, max(invoice.amount_due, 0))
    return post(
        key=f"invoice:{note.uuid}",
        entries={
            _owed(invoice): -owed,
            Account.CREDIT: note.total + owed,
            Account.REVENUE: -note.subtotal,
            Account.TAX: -note.tax,
        },
        currency=note.currency,
        now=now,
        tenant=note.tenant,
        invoice=note,
    )


_FROM: dict[str, Account] = {
    PaymentMethod.CARD: Account.STRIPE,
    PaymentMethod.BANK: Account.BANK,
    PaymentMethod.CREDIT: Account.CREDIT,
}


def payment_post(*, payment: Payment, invoice: Invoice, now: datetime) -> Posting:
    """Note that a payment came in, before the invoice counts it. What it does not owe is credit."""
    used = min(payment.amount, max(invoice.amount_due, 0))
    entries = {_FROM[payment.method]: payment.amount, _owed(invoice): -used}
    if payment.method != PaymentMethod.CREDIT:
        entries[Account.CREDIT] = used - payment.amount
    return post(
        key=f"payment:{invoice.uuid}:{payment.attempt}",
        entries=entries,
        currency=payment.currency,
        now=now,
        tenant=invoice.tenant,
        invoice=invoice,
    )


def _owed(invoice: Invoice) -> Account:
    """Return where the books have what is still due of an invoice."""
    is_written_off = invoice.state == InvoiceState.UNCOLLECTIBLE
    return Account.LOSSES if is_written_off else Account.RECEIVABLE


def order_held_post(*, order: Order, now: datetime) -> None:
    """Note that an order was paid that could not be delivered: there is no invoice, it goes back.

    Of an order over nothing there is nothing to note.
    """
    if order.amount:
        post(
            key=f"order:{order.uuid}",
            entries={Account.STRIPE: order.amount, Account.HELD: -order.amount},
            currency=order.currency,
            now=now,
            tenant=order.tenant,
        )


def order_refund_post(*, order: Order, held: int, unowed: int, now: datetime) -> None:
    """Note that what is held of an undeliverable order went back, in minor units, and what went
    back beside it although a lost dispute had paid that back.
    """
    if held + unowed:
        post(
            key=f"order_refund:{order.uuid}",
            entries={
                Account.HELD: held,
                Account.LOSSES: unowed,
                Account.STRIPE: -held - unowed,
            },
            currency=order.currency,
            now=now,
            tenant=order.tenant,
        )


def unowed_refund_post(*, refund: UnowedRefund, now: datetime) -> None:
    """Note that an order was refunded at Stripe beside the lost dispute that paid it back."""
    post(
        key=f"unowed_refund:{refund.uuid}",
        entries={Account.LOSSES: refund.amount, Account.STRIPE: -refund.amount},
        currency=refund.currency,
        now=now,
        tenant=refund.order.tenant,
    )


def refund_post(
    *, refund: Refund, step: str, entries: Mapping[Account, int], now: datetime
) -> None:
    """Note a step of a refund: `refund_held`, then `refund` or `refund_failed`."""
    invoice = refund.payment.invoice
    post(
        key=f"{step}:{refund.uuid}",
        entries=entries,
        currency=refund.payment.currency,
        now=now,
        tenant=invoice.tenant,
        invoice=invoice,
    )


def transactions_post(*, rows: Sequence[BalanceTransaction], now: datetime) -> None:
    """Note what Stripe took for itself, paid out, and exchanged; all at once.

    Raise django.db.IntegrityError where one was noted already.
    """
    moves = [move for row in rows for move in _moves(row)]
    postings = Posting.objects.bulk_create(
        Posting(key=key, currency=currency, posted_at=now) for key, currency, *_entries in moves
    )
    Entry.objects.bulk_create(
        entry
        for posting, (_key, _currency, account, amount) in zip(postings, moves, strict=True)
        for entry in (
            Entry(posting=posting, account=account, amount=amount),
            Entry(posting=posting, account=Account.STRIPE, amount=-amount),
        )
    )


def _moves(row: BalanceTransaction) -> Iterator[tuple[str, str, Account, int]]:
    """Yield the key, the currency, and how much an account takes from what is at Stripe."""
    if row.cost:
        yield f"stripe_fee:{row.stripe_id}", row.currency, Account.FEES, row.cost
    if row.type in PAYOUTS:
        yield f"payout:{row.stripe_id}", row.currency, Account.BANK, -row.amount
    if row.source_currency != row.currency:
        source = row.source_currency, Account.EXCHANGE, row.source_amount
        yield f"exchanged_from:{row.stripe_id}", *source
        yield f"exchanged_to:{row.stripe_id}", row.currency, Account.EXCHANGE, -row.amount
