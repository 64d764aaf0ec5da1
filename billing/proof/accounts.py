"""Each account comes to what invoices, payments, refunds, disputes and orders come to."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import BigIntegerField, Case, F, OuterRef, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce

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
from billing.models.disputes import GONE, IS_DECIDED
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


def decided() -> QuerySet[Dispute]:
    """Return the disputes of which is known what is gone, be it nothing."""
    return Dispute.objects.filter(IS_DECIDED)


def with_held(orders: QuerySet[Order]) -> QuerySet[Any]:
    """Return undelivered orders with `to_refund`, what no dispute has paid back of them, if any."""
    back = Dispute.objects.filter(order=OuterRef("pk")).order_by().values("order")
    sums = back.annotate(sum=Sum("owed_back")).values("sum")
    by_bank = Coalesce(Subquery(sums, output_field=BigIntegerField()), 0)
    return orders.annotate(to_refund=F("amount") - by_bank).filter(to_refund__gt=0)


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
    due_back = with_held(undelivered(OrderState.REFUND_DUE))
    paid = undelivered(OrderState.REFUND_DUE, OrderState.REFUNDED)
    taken = Dispute.objects.filter(withdrawn_at__isnull=False)
    ours = pending.filter(made_at_stripe=False)  # the others hold nothing
    parts: tuple[tuple[Account, int, QuerySet[Any], Any], ...] = (
        (Account.RECEIVABLE, -1, billed().filter(state=InvoiceState.OPEN), OVER),
        (Account.LOSSES, -1, billed().filter(state=InvoiceState.UNCOLLECTIBLE), OVER),
        (Account.CREDIT, -1, billed().alias(over=OVER).filter(over__gt=0), OVER),
        (Account.CREDIT, 1, credit, F("amount")),
        (Account.CREDIT, 1, ours, F("amount")),
        (Account.HELD, -1, ours, F("amount")),
        (Account.HELD, -1, due_back, F("to_refund")),
        (Account.STRIPE, 1, cards, F("amount")),
        (Account.STRIPE, -1, refunded, F("amount")),
        (Account.LOSSES, 1, refunded, F("amount") - F("owed_back")),
        (Account.STRIPE, 1, paid, F("amount")),
        (Account.STRIPE, -1, with_held(undelivered(OrderState.REFUNDED)), F("to_refund")),
        (Account.STRIPE, -1, taken, GONE),
        (Account.DISPUTED, 1, taken.exclude(IS_DECIDED), F("amount")),
        (Account.LOSSES, 1, decided(), GONE - F("owed_back")),
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
