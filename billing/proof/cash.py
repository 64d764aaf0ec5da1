"""Cash at Stripe by the books is what its balance transactions come to, and what is in transit.

What the books say of a PaymentIntent (a payment, its refunds and disputes) and what moved at Stripe
are compared one by one. Where they differ, and one of the two is newer than what was fetched, that
is in transit; else it is wrong.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import (
    BigIntegerField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.utils import timezone

from billing.models import (
    Account,
    BalanceTransaction,
    Dispute,
    Entry,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
    StripeCursor,
    StripeList,
)
from billing.models.balance import (
    CHARGES,
    DISPUTES,
    FEES,
    HOLDS,
    PAYOUTS,
    REFUNDS,
    is_by_us,
    source_is,
)
from billing.proof.accounts import paid_back, undelivered
from billing.proof.findings import Cash, Check, Difference


def fetched_until() -> datetime | None:
    """Return up to when Stripe's balance transactions are known; None where they never were."""
    cursor = StripeCursor.objects.filter(name=StripeList.BALANCE)
    return cursor.values_list("reached_at", flat=True).first()


def differences(until: datetime | None) -> list[Difference]:
    """Return the PaymentIntents of which the books say another amount than Stripe."""
    parts = [_as_moves(*part) for part in _moves()]
    union: Any = parts[0].union(*parts[1:], all=True)
    sql, params = union.query.get_compiler(connection=connection).as_sql()
    at = connection.ops.adapt_datetimefield_value(until) if until else None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT intent, code, SUM(moved), MAX(happened_at) > %s"  # noqa: S608  (ours)
            f" FROM ({sql}) AS moves GROUP BY intent, code HAVING SUM(moved) <> 0"
            " ORDER BY intent, code",
            [at, *params],
        )
        rows = cursor.fetchall()
    return [
        Difference(intent, code, int(moved), is_in_transit=until is None or bool(is_newer))
        for intent, code, moved, is_newer in rows
    ]


def _moves() -> Iterator[tuple[QuerySet[Any], str, str, Any, Any]]:
    """Yield rows, where their PaymentIntent and currency are, what moved, and when.

    What is not over yet, or moved there and back, counts by when that was noted.
    """
    intent = "payment_intent_id"
    cards = Payment.objects.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED)
    yield cards, intent, "currency", F("amount"), F("settled_at")
    of_payment = "payment__payment_intent_id", "payment__currency"
    back = Refund.objects.filter(state=RefundState.SUCCEEDED)
    yield back, *of_payment, -F("amount"), F("settled_at")
    failed = Refund.objects.filter(state=RefundState.FAILED)
    yield failed, *of_payment, Value(0), F("settled_at")
    pending = Refund.objects.filter(state=RefundState.PENDING)
    yield pending, *of_payment, Value(0), Value(timezone.now(), DateTimeField())
    paid = undelivered(OrderState.REFUND_DUE, OrderState.REFUNDED)
    yield paid, intent, "currency", F("amount"), F("fulfilled_at")
    being_paid_back = undelivered(OrderState.REFUND_DUE).exclude(refund_id="")
    yield being_paid_back, intent, "currency", Value(0), Value(timezone.now(), DateTimeField())
    refunded, _by_bank = paid_back()
    yield refunded, intent, "currency", -F("amount"), F("refunded_at")
    taken = Dispute.objects.exclude(withdrawn_at=None)
    yield taken, intent, "currency", -F("amount"), F("withdrawn_at")
    returned = Dispute.objects.exclude(reinstated_at=None)
    yield returned, intent, "currency", F("amount"), F("reinstated_at")
    told = BalanceTransaction.objects.exclude(booked_at=None).exclude(payment_intent_id="")
    told = told.exclude(type__in=(*FEES, *PAYOUTS))  # booked beside what they are of, a dispute say
    yield told, intent, "source_currency", -F("source_amount"), F("created_at")


def _as_moves(
    rows: QuerySet[Any], intent: str, currency: str, amount: Any, at: Any
) -> QuerySet[Any]:
    moved = ExpressionWrapper(amount, output_field=BigIntegerField())
    named: QuerySet[Any] = rows.order_by().annotate(
        intent=F(intent), code=F(currency), moved=moved, happened_at=at
    )
    return named.values_list("intent", "code", "moved", "happened_at")


def cash(found: list[Difference]) -> Iterator[Cash]:
    """Yield what is at Stripe, by currency."""
    entries = Entry.objects.filter(account=Account.STRIPE).order_by()
    books = dict(entries.values_list("posting__currency").annotate(sum=Sum("amount")))
    rows = BalanceTransaction.objects.order_by()
    held_back = Q(type__in=HOLDS)
    booked, held, unknown = (
        dict(rows.filter(which).values_list("currency").annotate(sum=Sum("net")))
        for which in (
            Q(booked_at__isnull=False),
            held_back,
            Q(booked_at=None) & ~held_back,
        )
    )
    transit: Counter[str] = Counter()
    for one in found:
        transit[one.currency] += one.amount if one.is_in_transit else 0
    for currency in sorted({*books, *booked, *held, *unknown}):
        yield Cash(
            currency,
            books.get(currency, 0),
            booked.get(currency, 0),
            transit[currency],
            -held.get(currency, 0),
            unknown.get(currency, 0),
        )


def cash_checks(until: datetime | None, found: list[Difference]) -> Iterator[Check]:
    """Yield whether each transaction is of something of ours, and each of ours has its own."""
    wrong = [one for one in found if not one.is_in_transit]
    yield Check(
        "PaymentIntents over the same at Stripe as in the books",
        BalanceTransaction.objects.values("payment_intent_id").distinct().count(),
        len(wrong),
        tuple(f"{one.payment_intent_id} ({one.amount:+} {one.currency})" for one in wrong[:5]),
    )
    rows = BalanceTransaction.objects.all()
    yield Check.of("balance transactions of something of ours", rows, _strays(), called="stripe_id")
    if until is None:
        return
    for what, ours, named in (
        ("payments", Payment.objects.filter(
            method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED, settled_at__lte=until
        ), "payment_intent_id"),
        ("refunds", Refund.objects.filter(
            state=RefundState.SUCCEEDED, settled_at__lte=until
        ), "stripe_id"),
        ("disputes", Dispute.objects.filter(withdrawn_at__lte=until), "stripe_id"),
    ):  # fmt: skip
        by = "payment_intent_id" if named == "payment_intent_id" else "source_id"
        told = BalanceTransaction.objects.filter(**{by: OuterRef(named)})
        yield Check.of(
            f"{what} with their balance transaction", ours, ours.exclude(Exists(told)), called=named
        )


def _strays() -> QuerySet[BalanceTransaction]:
    """Return the transactions that are of nothing that we know: not what others did by
    PaymentIntents of their own, nor what Stripe holds back.
    """
    source = OuterRef("source_id")
    refunds = Exists(Refund.objects.filter(stripe_id=source)) | Exists(
        undelivered(OrderState.REFUND_DUE, OrderState.REFUNDED).filter(
            payment_intent_id=OuterRef("payment_intent_id")
        )
    )
    disputes = Exists(Dispute.objects.filter(stripe_id=source))
    is_refund, is_dispute = source_is(REFUNDS), source_is(DISPUTES)
    is_by_others = (source_is(CHARGES) | is_refund | is_dispute) & ~is_by_us()
    rows = BalanceTransaction.objects.exclude(type__in=(*PAYOUTS, *FEES, *HOLDS))
    return rows.exclude(is_by_others, booked_at=None).filter(
        Q(booked_at=None) | (is_refund & ~Q(refunds)) | (is_dispute & ~Q(disputes))
    )
