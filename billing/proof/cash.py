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
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.utils.translation import gettext_noop as _

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
    UnowedRefund,
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
from billing.proof.accounts import undelivered, with_held
from billing.proof.findings import SHOWN, Cash, Check, Difference

# Rows, where their PaymentIntent and currency are, what moved, and when.
_Moved = tuple[QuerySet[Any], str, str, Any, Any]
_OF_PAYMENT = "payment__payment_intent_id", "payment__currency"


def fetched_until() -> datetime | None:
    """Return up to when Stripe's balance transactions are known; None where they never were."""
    cursor = StripeCursor.objects.filter(name=StripeList.BALANCE)
    return cursor.values_list("reached_at", flat=True).first()


def differences(until: datetime | None, overdue_since: datetime | None) -> list[Difference]:
    """Return the PaymentIntents of which the books say another amount than Stripe.

    Overdue is what was noted by `overdue_since`; but for where nothing was ever fetched, which is
    not the fault of one of them.
    """
    parts = [
        *(_as_moves(*part, is_under_way=False) for part in _moves()),
        *(_as_moves(*part, is_under_way=True) for part in _under_way()),
    ]
    union: Any = parts[0].union(*parts[1:], all=True)
    sql, params = union.query.get_compiler(connection=connection).as_sql()
    adapt = connection.ops.adapt_datetimefield_value
    times = [adapt(at) if at else None for at in (until, overdue_since)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT intent, code, SUM(moved), MAX(under_way) = 1,"  # noqa: S608  (ours)
            " MAX(moved_at) > %s, MAX(moved_at) <= %s"
            f" FROM ({sql}) AS moves GROUP BY intent, code HAVING SUM(moved) <> 0"
            " ORDER BY intent, code",
            [*times, *params],
        )
        rows = cursor.fetchall()
    return [
        Difference(
            intent,
            code,
            int(moved),
            is_in_transit=until is None or bool(is_under_way or is_newer),
            is_overdue=until is not None and bool(is_old),
        )
        for intent, code, moved, is_under_way, is_newer, is_old in rows
    ]


def _moves() -> Iterator[_Moved]:
    """Yield what moved. What went there and back counts by when that was noted."""
    intent = "payment_intent_id"
    cards = Payment.objects.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED)
    yield cards, intent, "currency", F("amount"), F("settled_at")
    back = Refund.objects.filter(state=RefundState.SUCCEEDED)
    yield back, *_OF_PAYMENT, -F("amount"), F("settled_at")
    failed = Refund.objects.filter(state=RefundState.FAILED)
    yield failed, *_OF_PAYMENT, Value(0), F("settled_at")
    paid = undelivered(OrderState.REFUND_DUE, OrderState.REFUNDED)
    yield paid, intent, "currency", F("amount"), F("fulfilled_at")
    refunded = with_held(undelivered(OrderState.REFUNDED))
    yield refunded, intent, "currency", -F("to_refund"), F("refunded_at")
    unowed = UnowedRefund.objects.all()  # in `to_refund` already, but newer
    yield unowed, "order__payment_intent_id", "currency", Value(0), F("created_at")
    taken = Dispute.objects.exclude(withdrawn_at=None)
    yield taken, intent, "currency", -F("amount"), F("withdrawn_at")
    returned = Dispute.objects.exclude(reinstated_at=None)
    yield returned, intent, "currency", F("reinstated"), F("reinstated_at")
    told = BalanceTransaction.objects.exclude(booked_at=None).exclude(payment_intent_id="")
    told = told.exclude(type__in=(*FEES, *PAYOUTS))  # booked beside what they are of, a dispute say
    yield told, intent, "source_currency", -F("source_amount"), F("created_at")


def _under_way() -> Iterator[_Moved]:
    """Yield what may move, or has moved and nobody has told, and since when."""
    pending = Refund.objects.filter(state=RefundState.PENDING)
    yield pending, *_OF_PAYMENT, Value(0), F("created_at")
    orders = undelivered(OrderState.REFUND_DUE).exclude(refund_id="")
    yield orders, "payment_intent_id", "currency", Value(0), F("fulfilled_at")


def _as_moves(
    rows: QuerySet[Any], intent: str, currency: str, amount: Any, at: Any, *, is_under_way: bool
) -> QuerySet[Any]:
    moved = ExpressionWrapper(amount, output_field=BigIntegerField())
    named: QuerySet[Any] = rows.order_by().annotate(
        intent=F(intent),
        code=F(currency),
        moved=moved,
        moved_at=at,
        under_way=Value(int(is_under_way)),
    )
    return named.values_list("intent", "code", "moved", "moved_at", "under_way")


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
        _("PaymentIntents over the same at Stripe as in the books"),
        BalanceTransaction.objects.values("payment_intent_id").distinct().count(),
        len(wrong),
        tuple(map(str, wrong[:SHOWN])),
    )
    rows = BalanceTransaction.objects.all()
    yield Check.of(
        _("balance transactions of something of ours"), rows, _strays(), called="stripe_id"
    )
    if until is None:
        return
    for what, ours, named in (
        (_("payments with their balance transaction"), Payment.objects.filter(
            method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED, settled_at__lte=until
        ), "payment_intent_id"),
        (_("refunds with their balance transaction"), Refund.objects.filter(
            state=RefundState.SUCCEEDED, settled_at__lte=until
        ), "stripe_id"),
        (_("disputes with their balance transaction"), Dispute.objects.filter(
            withdrawn_at__lte=until
        ), "stripe_id"),
    ):  # fmt: skip
        by = "payment_intent_id" if named == "payment_intent_id" else "source_id"
        told = BalanceTransaction.objects.filter(**{by: OuterRef(named)})
        yield Check.of(what, ours, ours.exclude(Exists(told)), called=named)


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
