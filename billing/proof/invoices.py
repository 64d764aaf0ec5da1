"""Invoices add up, count what came in and was credited, and are numbered without gaps; what was
delivered for money has one.
"""

from collections.abc import Iterator
from typing import Any

from django.db.models import BigIntegerField, Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_noop as _

from billing.models import (
    InvoiceCounter,
    InvoiceLine,
    InvoiceState,
    InvoiceTax,
    Order,
    OrderState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from billing.proof.accounts import OVER, billed, decided, issued
from billing.proof.findings import Check


def invoice_checks() -> Iterator[Check]:
    """Yield whether what invoices and payments say of themselves is so."""
    succeeded = Payment.objects.filter(state=PaymentState.SUCCEEDED)
    paid_back = Refund.objects.filter(state=RefundState.SUCCEEDED)
    counted = billed().annotate(
        came_in=_sum(succeeded, of="invoice", amount="amount")
        - _sum(paid_back, of="payment__invoice", amount="owed_back")
        - _sum(decided(), of="payment__invoice", amount="owed_back"),
        credited=-_sum(issued(), of="corrects", amount="total"),
    )
    wrong = counted.filter(~Q(amount_paid=F("came_in")) | ~Q(amount_credited=F("credited")))
    yield _of_invoices(_("invoices that count what came in and was credited"), wrong)
    over = billed().alias(over=OVER)
    is_wrong = Q(state=InvoiceState.OPEN, over__gte=0) | Q(state=InvoiceState.PAID, over__lt=0)
    yield _of_invoices(_("invoices that are paid once nothing is due"), over.filter(is_wrong))
    too_much = billed().filter(amount_credited__gt=F("total"))
    yield _of_invoices(_("invoices that are not credited beyond their total"), too_much)
    asked = Refund.objects.filter(made_at_stripe=False).exclude(state=RefundState.FAILED)
    refunded = Payment.objects.annotate(
        asked=_sum(asked, of="payment", amount="amount"),
        back=_sum(paid_back, of="payment", amount="amount"),
    )
    wrong_payments = refunded.filter(Q(asked__gt=F("amount")) | Q(back__gt=F("amount")))
    yield Check.of(
        _("payments not paid back beyond their amount"), refunded, wrong_payments, called="pk"
    )
    added = issued().annotate(
        lines_sum=_sum(InvoiceLine.objects.all(), of="invoice", amount="amount"),
        taxes_sum=_sum(InvoiceTax.objects.all(), of="invoice", amount="tax"),
    )
    odd = added.filter(~Q(subtotal=F("lines_sum")) | ~Q(tax=F("taxes_sum")))
    yield Check.of(
        _("invoices that are the sum of their lines and taxes"), issued(), odd, called="uuid"
    )
    sold = Order.objects.filter(state=OrderState.FULFILLED, amount__gt=0)
    yield Check.of(
        _("orders delivered with their invoice"), sold, sold.filter(invoice=None), called="uuid"
    )
    yield _numbers()


def _of_invoices(what: str, wrong: QuerySet[Any]) -> Check:
    return Check.of(what, billed(), wrong, called="uuid")


def _numbers() -> Check:
    """Check that each year's numbers are all there: how many there are is the highest, and the
    last that was given.
    """
    years_there = issued().order_by().values_list("year")
    numbers = years_there.annotate(count=Count("pk"), top=Max("sequence"))
    there: dict[Any, tuple[int, int]] = {year: (count, top) for year, count, top in numbers}
    last = dict(InvoiceCounter.objects.values_list("year", "last"))
    years = sorted(there | last)
    wrong = [str(year) for year in years if there.get(year, (0, 0)) != (last.get(year, 0),) * 2]
    return Check(_("years without a gap in their numbers"), len(years), len(wrong), tuple(wrong))


def _sum(rows: QuerySet[Any], *, of: str, amount: str) -> Any:
    """Return the sum of the rows that belong to the row of the outer query."""
    mine = rows.filter(**{of: OuterRef("pk")}).order_by().values(of).annotate(sum=Sum(amount))
    return Coalesce(Subquery(mine.values("sum"), output_field=BigIntegerField()), 0)
