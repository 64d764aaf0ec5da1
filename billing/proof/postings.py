"""Each invoice, payment, refund, dispute and undelivered order has its postings; each posting is
of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Abs, Cast, Coalesce, Concat, Greatest, StrIndex, Substr
from django.utils.translation import gettext_noop as _

from billing.models import (
    Account,
    BalanceTransaction,
    Dispute,
    Entry,
    InvoiceState,
    OrderState,
    Payment,
    PaymentState,
    Posting,
    Refund,
    RefundState,
    SetOff,
    UnowedRefund,
)
from billing.models.balance import PAYOUTS
from billing.proof.accounts import (
    COST,
    OVER,
    SOURCE_CURRENCY,
    billed,
    issued,
    undelivered,
    with_held,
)
from billing.proof.findings import Check
from billing.sql import Dashed

_WENT_BACK = ("dispute", "refund", "set_off")


@dataclass(frozen=True)
class _Booked:
    """What is booked: the rows, their posting's key after the kind, its debits, its currency."""

    kind: str
    rows: QuerySet[Any]
    key: Any
    amount: Any
    currency: str

    def keyed(self) -> Any:
        """Return the rows with `booked`, what their posting debits; None where there is none."""
        rows = self.rows.annotate(
            key=Concat(Value(f"{self.kind}:"), self.key, output_field=CharField()),
            sum=self.amount,
            code=F(self.currency),
        )
        debits = Entry.objects.filter(
            posting__key=OuterRef("key"), posting__currency=OuterRef("code"), amount__gt=0
        )
        total = debits.order_by().values("posting").annotate(total=Sum("amount")).values("total")
        return rows.annotate(booked=Subquery(total, output_field=BigIntegerField()))


def posting_checks() -> Iterator[Check]:
    """Yield whether each posting balances, each row has its own, and the other way round."""
    postings = Posting.objects.order_by()
    uneven = postings.annotate(sum=Coalesce(Sum("entries__amount"), 1)).exclude(sum=0)
    yield Check.of(_("postings that balance"), postings, uneven, called="key")
    kind = Substr("key", 1, StrIndex("key", Value(":")) - 1)
    there = dict(postings.annotate(kind=kind).values_list("kind").annotate(count=Count("pk")))
    for booked in _booked():
        rows = booked.keyed()
        wrong = rows.filter(Q(booked=None) | ~Q(booked=F("sum")))
        yield Check.of(
            _("%(kind)s: rows with their posting"), rows, wrong, called="key", kind=booked.kind
        )
        count = there.pop(booked.kind, 0)
        found = rows.exclude(booked=None).count()
        yield _of_rows(booked.kind, count, count - found)
    for name, count in there.items():
        yield _of_rows(name, count, count)


def _of_rows(kind: str, count: int, wrong: int) -> Check:
    return Check(_("%(kind)s: postings with their row"), count, wrong, kind=kind)


def _booked() -> Iterator[_Booked]:
    """Yield what has postings. Where a refund failed, it may have been paid back before that; what
    was written off is what is still due, and what came in or was credited since.
    """
    uuid, amount = Dashed(F("uuid")), F("amount")
    yield _Booked("invoice", issued(), uuid, Abs("total"), "currency")
    attempt = Cast("attempt", CharField())
    payment = Concat(Dashed(F("invoice__uuid")), Value(":"), attempt, output_field=CharField())
    payments = Payment.objects.filter(state=PaymentState.SUCCEEDED)
    yield _Booked("payment", payments, payment, amount, "currency")
    losses = _written_off().filter(posting__invoice=OuterRef("pk"))
    lost = billed().filter(Q(Exists(losses)) | Q(state=InvoiceState.UNCOLLECTIBLE))
    was_due = (
        Greatest(-OVER, 0, output_field=BigIntegerField())
        + _found_again("posting__invoice")
        + _found_again("posting__invoice__corrects")
    )
    yield _Booked("written-off", lost, uuid, was_due, "currency")
    refunds = Refund.objects.all()
    asked = refunds.filter(made_at_stripe=False)
    key = Concat(Value("refund:"), uuid, output_field=CharField())
    was_paid = Exists(Posting.objects.filter(key=OuterRef("paid_key")))
    refunds = refunds.alias(paid_key=key)
    paid = refunds.filter(Q(state=RefundState.SUCCEEDED) | Q(was_paid, state=RefundState.FAILED))
    failed = refunds.filter(Q(made_at_stripe=False) | Q(was_paid), state=RefundState.FAILED)
    for kind, rows in (("refund_held", asked), ("refund", paid), ("refund_failed", failed)):
        yield _Booked(kind, rows, uuid, amount, "payment__currency")
    due_back = undelivered(OrderState.REFUND_DUE, OrderState.REFUNDED)
    yield _Booked("order", due_back, uuid, amount, "currency")
    orders_refunded = with_held(undelivered(OrderState.REFUNDED))
    by_itself = orders_refunded.annotate(at_once=F("to_refund") - _unowed()).exclude(at_once=0)
    yield _Booked("order_refund", by_itself, uuid, F("at_once"), "currency")
    yield _Booked("unowed_refund", UnowedRefund.objects.all(), uuid, amount, "currency")
    decided = Case(When(lost_at=None, then=amount), default=F("reinstated"))  # or turned
    for kind, disputes, over in (
        ("dispute", Dispute.objects.exclude(withdrawn_at=None), amount),
        ("dispute_won", Dispute.objects.exclude(reinstated_at=None), decided),
        ("dispute_lost", Dispute.objects.exclude(lost_at=None), amount),
    ):
        yield _Booked(kind, disputes, F("stripe_id"), over, "currency")
    yield _Booked("set_off", SetOff.objects.all(), uuid, amount, "currency")
    told = BalanceTransaction.objects.exclude(booked_at=None)
    exchanged, came = told.exclude(currency=SOURCE_CURRENCY), Abs("source_amount")
    for kind, moved, sum_, currency in (
        ("stripe_fee", told.annotate(cost_=COST).exclude(cost_=0), Abs("cost_"), "currency"),
        ("payout", told.filter(type__in=PAYOUTS), Abs("amount"), "currency"),
        ("exchanged_from", exchanged, came, "source_currency"),
        ("exchanged_to", exchanged, Abs("amount"), "currency"),
    ):
        yield _Booked(kind, moved, F("stripe_id"), sum_, currency)


def _unowed() -> Any:
    """Return what went back of an order once it was refunded."""
    unowed = UnowedRefund.objects.filter(order=OuterRef("pk")).order_by().values("order")
    sums = unowed.annotate(sum=Sum("amount")).values("sum")
    return Coalesce(Subquery(sums, output_field=BigIntegerField()), 0)


def _written_off() -> QuerySet[Entry]:
    """Return the losses by what was written off: not what went back without being owed."""
    went_back = reduce(or_, (Q(posting__key__startswith=kind) for kind in _WENT_BACK))
    return Entry.objects.filter(account=Account.LOSSES).exclude(went_back)


def _found_again(of: str) -> Any:
    """Return how much of an invoice's losses was taken back, by postings that are `of` it."""
    back = _written_off().filter(**{of: OuterRef("pk")}, amount__lt=0)
    total = back.order_by().values(of).annotate(sum=-Sum("amount")).values("sum")
    return Coalesce(Subquery(total, output_field=BigIntegerField()), 0)
