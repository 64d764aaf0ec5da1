"""Each account comes to what invoices, payments, refunds, disputes and orders come to."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import BigIntegerField, Case, Exists, F, OuterRef, QuerySet, Sum, When

from billing.models import (
    Account,
    BalanceTransaction,
    Currency,
    Dispute,
    Entry,
    Invoice,
    InvoiceKind,
    InvoiceState,
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
)
from billing.models.balance import FEES, PAYOUTS
from billing.proof.findings import Balance

SOURCE_CURRENCY = F("source_currency")
# What Stripe took for itself by a balance transaction, as BalanceTransaction.cost.
COST = Case(
    When(type__in=FEES, then=F("fee") - F("amount")),
    default=F("fee"),
    output_field=BigIntegerField(),
)
OVER = F("amount_paid") + F("amount_credited") - F("total")


def issued() -> QuerySet[Invoice]:
    """Return all that was ever issued, credit notes too."""
    return Invoice.objects.filter(sequence__isnull=False)


def billed() -> QuerySet[Invoice]:
    """Return what was billed: all but credit notes."""
    return issued().exclude(kind=InvoiceKind.CREDIT_NOTE)


def undelivered(*states: OrderState) -> QuerySet[Order]:
    """Return the orders that were paid and have no invoice. One over nothing moves no money."""
    paid = Order.objects.filter(invoice=None, amount__gt=0).exclude(payment_intent_id="")
    return paid.filter(state__in=states)


def lost() -> QuerySet[Dispute]:
    """Return the disputes whose money is gone."""
    return Dispute.objects.filter(lost_at__isnull=False, reinstated_at=None)


def paid_back() -> tuple[QuerySet[Order], QuerySet[Order]]:
    """Return the undelivered orders that were refunded, and those that a lost dispute paid back."""
    by_bank = Exists(lost().filter(order=OuterRef("pk"), owed_back__gt=0))
    orders = undelivered(OrderState.REFUNDED)
    return orders.exclude(by_bank), orders.filter(by_bank)


def balances() -> Iterator[Balance]:
    """Yield the accounts that are used, by currency."""
    entries = Entry.objects.order_by().values_list("posting__currency", "account")
    ledger = {(code, name): total for code, name, total in entries.annotate(sum=Sum("amount"))}
    rows = _by_rows()
    others = {code for code, _name in (*ledger, *rows)} - set(Currency.values)
    for currency in (*Currency.values, *sorted(others)):  # others are those that Stripe settles in
        for account in Account:
            key = (currency, account)
            if ledger.get(key) or rows[key]:
                yield Balance(currency, account, ledger.get(key, 0), rows[key])


def _by_rows() -> Counter[tuple[str, Account]]:
    payments = Payment.objects.filter(state=PaymentState.SUCCEEDED)
    cards, banks, credit = (payments.filter(method=method) for method in PaymentMethod)
    pending, refunded = (
        Refund.objects.filter(state=state).annotate(currency=F("payment__currency"))
        for state in (RefundState.PENDING, RefundState.SUCCEEDED)
    )
    booked = BalanceTransaction.objects.exclude(booked_at=None)
    payouts, exchanged = booked.filter(type__in=PAYOUTS), booked.exclude(currency=SOURCE_CURRENCY)
    due_back = undelivered(OrderState.REFUND_DUE)
    _refunded, by_bank = paid_back()
    taken = Dispute.objects.filter(withdrawn_at__isnull=False, reinstated_at=None)
    parts: tuple[tuple[Account, int, QuerySet[Any], Any], ...] = (
        (Account.RECEIVABLE, -1, billed().filter(state=InvoiceState.OPEN), OVER),
        (Account.LOSSES, -1, billed().filter(state=InvoiceState.UNCOLLECTIBLE), OVER),
        (Account.CREDIT, -1, billed().alias(over=OVER).filter(over__gt=0), OVER),
        (Account.CREDIT, 1, credit, F("amount")),
        (Account.CREDIT, 1, pending, F("amount")),
        (Account.HELD, -1, pending, F("amount")),
        (Account.HELD, -1, due_back, F("amount")),
        (Account.STRIPE, 1, cards, F("amount")),
        (Account.STRIPE, -1, refunded, F("amount")),
        (Account.STRIPE, 1, due_back, F("amount")),
        (Account.STRIPE, 1, by_bank, F("amount")),
        (Account.STRIPE, -1, taken, F("amount")),
        (Account.DISPUTED, 1, taken.filter(lost_at=None), F("amount")),
        (Account.LOSSES, 1, lost(), F("amount") - F("owed_back")),
        (Account.STRIPE, -1, booked, COST),
        (Account.FEES, 1, booked, COST),
        (Account.STRIPE, 1, payouts, F("amount")),
        (Account.BANK, -1, payouts, F("amount")),
        (Account.STRIPE, 1, exchanged, F("amount")),
        (Account.EXCHANGE, -1, exchanged, F("amount")),
        (Account.BANK, 1, banks, F("amount")),
        (Account.REVENUE, -1, issued(), F("subtotal")),
        (Account.TAX, -1, issued(), F("tax")),
    )
    sums: Counter[tuple[str, Account]] = Counter()
    for account, sign, rows, amount in parts:
        for currency, total in rows.order_by().values_list("currency").annotate(sum=Sum(amount)):
            sums[currency, account] += sign * total
    from_ = exchanged.order_by().values_list("source_currency")
    for currency, total in from_.annotate(sum=Sum("source_amount")):
        sums[currency, Account.STRIPE] -= total
        sums[currency, Account.EXCHANGE] += total
    return sums
