"""Each invoice, payment, refund, dispute and undelivered order has its postings; each posting is
of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    BigIntegerField,
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
)
from billing.models.balance import PAYOUTS
from billing.proof.accounts import (
    COST,
    OVER,
    SOURCE_CURRENCY,
    billed,
    issued,
    paid_back,
    undelivered,
)
from billing.proof.findings import Check
from billing.sql import Dashed


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
    losses = Entry.objects.filter(posting__invoice=OuterRef("pk"), account=Account.LOSSES)
    losses = losses.exclude(posting__key__startswith="dispute")
    lost = billed().filter(Q(Exists(losses)) | Q(state=InvoiceState.UNCOLLECTIBLE))
    was_due = (
        Greatest(-OVER, 0, output_field=BigIntegerField())
        + _found_again("posting__invoice")
        + _found_again("posting__invoice__corrects")
    )
    yield _Booked("written-off", lost, uuid, was_due, "currency")
    refunds = Refund.objects.all()
    failed = refunds.filter(state=RefundState.FAILED)
    key = Concat(Value("refund:"), uuid, output_field=CharField())
    was_paid = Exists(Posting.objects.filter(key=OuterRef("paid_key")))
    paid = refunds.alias(paid_key=key).filter(
        Q(state=RefundState.SUCCEEDED) | Q(was_paid, state=RefundState.FAILED)
    )
    for kind, rows in (("refund_held", refunds), ("refund", paid), ("refund_failed", failed)):
        yield _Booked(kind, rows, uuid, amount, "payment__currency")
    due_back = undelivered(OrderState.REFUND_DUE, OrderState.REFUNDED)
    yield _Booked("order", due_back, uuid, amount, "currency")
    orders_refunded, _by_bank = paid_back()
    yield _Booked("order_refund", orders_refunded, uuid, amount, "currency")
    for kind, disputes in (
        ("dispute", Dispute.objects.exclude(withdrawn_at=None)),
        ("dispute_won", Dispute.objects.exclude(reinstated_at=None)),
        ("dispute_lost", Dispute.objects.exclude(lost_at=None)),
    ):
        yield _Booked(kind, disputes, F("stripe_id"), amount, "currency")
    told = BalanceTransaction.objects.exclude(booked_at=None)
    exchanged, came = told.exclude(currency=SOURCE_CURRENCY), Abs("source_amount")
    for kind, moved, sum_, currency in (
        ("stripe_fee", told.annotate(cost_=COST).exclude(cost_=0), Abs("cost_"), "currency"),
        ("payout", told.filter(type__in=PAYOUTS), Abs("amount"), "currency"),
        ("exchanged_from", exchanged, came, "source_currency"),
        ("exchanged_to", exchanged, Abs("amount"), "currency"),
    ):
        yield _Booked(kind, moved, F("stripe_id"), sum_, currency)


def _found_again(of: str) -> Any:
    """Return how much of an invoice's losses was taken back, by postings that are `of` it."""
    back = Entry.objects.filter(**{of: OuterRef("pk")}, account=Account.LOSSES, amount__lt=0)
    back = back.exclude(posting__key__startswith="dispute")
    total = back.order_by().values(of).annotate(sum=-Sum("amount")).values("sum")
    return Coalesce(Subquery(total, output_field=BigIntegerField()), 0)
