"""Ageing of receivables: what is due of open invoices today, by how long it is past due.

The buckets are the trade's: not due yet, 1-30, 31-60, 61-90 and more than 90 days. Days are UTC, as
dunning counts them. All together is what the account `receivable` says.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.models import Currency, Invoice, InvoiceState

BUCKETS = ("current", "days_30", "days_60", "days_90", "older")


@dataclass(frozen=True)
class Aged:
    """What is due, in minor units, of all tenants or of one."""

    currency: str
    current: int
    days_30: int
    days_60: int
    days_90: int
    older: int
    tenant_id: int | None = None
    name: str = ""

    @property
    def total(self) -> int:
        return self.current + self.overdue

    @property
    def overdue(self) -> int:
        return self.days_30 + self.days_60 + self.days_90 + self.older


def ageing(*, now: datetime) -> list[Aged]:
    """Return what is due in each currency."""
    return [Aged(**row) for row in _aged(now, "currency").order_by("currency")]


def ageing_by_tenant(*, now: datetime, most: int | None = None) -> list[Aged]:
    """Return the same by tenant, whoever owes most first; of each currency so many."""
    rows = _aged(now, "currency", "tenant_id", name=F("tenant__name")).alias(owed=Sum("due"))
    by_due = rows.order_by("-owed", "tenant_id")
    return [
        Aged(**row)
        for currency in Currency.values
        for row in by_due.filter(currency=currency)[:most]
    ]


def _aged(now: datetime, *by: str, **more: Any) -> QuerySet[Any, dict[str, Any]]:
    today = now.astimezone(UTC).date()
    due = F("total") - F("amount_credited") - F("amount_paid")
    invoices: QuerySet[Any] = Invoice.objects.filter(state=InvoiceState.OPEN).annotate(
        due=due, **more
    )
    ages = (30, 60, 90)
    days = [today, *(today - timedelta(days=age) for age in ages)]
    within = (
        Q(due_on=None) | Q(due_on__gte=days[0]),
        *(Q(due_on__lt=a, due_on__gte=b) for a, b in pairwise(days)),
        Q(due_on__lt=days[-1]),
    )
    sums = {
        name: Coalesce(Sum("due", filter=condition), 0)
        for name, condition in zip(BUCKETS, within, strict=True)
    }
    aged: QuerySet[Any, dict[str, Any]] = invoices.order_by().values(*by, *more).annotate(**sums)
    return aged
