"""Revenue by plan: net of tax, by the month of issue, and what of it was collected.

A credit note counts in the month of its own issue, as in the books: all months together are what
the account `revenue` says. An invoice belongs to the plan whose fee or usage it bills, one of a
change to the plan that it leads to; a pack's to the plan that its buyer held on that day, and a
credit note to its original's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    DateField,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, Greatest, Least, TruncDate, TruncMonth

from billing.models import Invoice, InvoiceKind, InvoiceLine, LineGroup, Subscription
from billing.reports.months import Months

_NOTE = Q(kind=InvoiceKind.CREDIT_NOTE)


@dataclass(frozen=True)
class PlanRevenue:
    """A month of a plan in a currency, in minor units.

    `invoiced` and `credited`, which is below zero, are before tax. `with_tax` is what the month's
    invoices come to, less what was credited of them by now, and `collected` what of that has come
    in by now, by cards, banks and credit.
    """

    month: date
    currency: str
    plan_id: int | None
    invoiced: int
    credited: int
    with_tax: int
    collected: int

    @property
    def revenue(self) -> int:
        return self.invoiced + self.credited


def revenue_by_plan(*, months: Months) -> list[PlanRevenue]:
    """Return the months in which something was issued, by currency, plan and month."""
    owed = F("total") - F("amount_credited")
    rows = of_plans(_issued(months)).values("month", "currency", "plan_id")
    sums = rows.annotate(
        invoiced=Coalesce(Sum("subtotal", filter=~_NOTE), 0),
        credited=Coalesce(Sum("subtotal", filter=_NOTE), 0),
        with_tax=Coalesce(Sum(owed, filter=~_NOTE), 0),
        collected=Coalesce(Sum(Greatest(Least("amount_paid", owed), 0), filter=~_NOTE), 0),
    )
    return [PlanRevenue(**row) for row in sums.order_by("currency", "plan_id", "month")]


def revenue_by_tenant(
    *, month: date, tenants: Collection[int] | None = None
) -> list[dict[str, Any]]:
    """Return what a month's invoices and credit notes of each tenant come to, by currency:
    `currency`, `tenant_id`, `name`, `plan_id` on the month's last day, and `revenue`; of all
    tenants, or of those with these ids.
    """
    months = Months(month, month)
    last = Value(months.end - timedelta(days=1), output_field=DateField())
    invoices: QuerySet[Any] = _issued(months).annotate(
        name=F("tenant__name"), plan_id=plan_held(on=last)
    )
    if tenants is not None:
        invoices = invoices.filter(tenant__in=tenants)
    by = invoices.order_by().values("currency", "tenant_id", "name", "plan_id")
    return list(by.annotate(revenue=Sum("subtotal")))


def usage_charges(*, months: Months) -> dict[tuple[str, date], int]:
    """Return what was invoiced for usage, net of tax and credit notes, by currency and month."""
    lines = InvoiceLine.objects.filter(
        invoice__in=_issued(months).values("pk"),
        group__in=[LineGroup.USAGE, LineGroup.CORRECTION],
    )
    month = TruncMonth("invoice__issued_at", tzinfo=UTC, output_field=DateField())
    by = lines.order_by().values_list("invoice__currency", month)
    return {(currency, at): net for currency, at, net in by.annotate(Sum("amount"))}


def of_plans(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Say of each invoice its `month` of issue, and the `plan_id` that it is of."""
    return invoices.annotate(
        month=TruncMonth("issued_at", tzinfo=UTC, output_field=DateField()),
        sold_on=TruncDate(Coalesce("corrects__issued_at", "issued_at"), tzinfo=UTC),
        plan_id=Coalesce(
            "subscription__plan_id",
            "order__subscription__plan_id",
            "corrects__order__subscription__plan_id",
            plan_held(on=OuterRef("sold_on")),
            output_field=BigIntegerField(),
        ),
    ).order_by()


def plan_held(*, on: Any) -> Subquery:
    """Return the id of the plan that the `tenant` of a query's row held on a day (UTC)."""
    held = Subscription.objects.filter(
        Q(ends_on=None) | Q(ends_on__gt=on), tenant=OuterRef("tenant"), starts_on__lte=on
    )
    return Subquery(held.order_by("starts_on").values("plan_id")[:1])


def _issued(months: Months) -> QuerySet[Invoice]:
    return Invoice.objects.filter(
        sequence__isnull=False, issued_at__gte=months.starts_at, issued_at__lt=months.ends_at
    )
