"""Issue invoices, one or thousands: frozen, taxed, numbered and booked in a query each.

The counter's row is the last that is locked: whoever calls this holds already what else it needs
(the tenants above all, which invoices point at), so that nobody waits for us while we wait for
them. It is held for as long as the rows take to be written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from operator import attrgetter
from typing import Any

from django.conf import settings

from billing.lines import Line
from billing.models import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    InvoiceTax,
    Order,
    Subscription,
)
from billing.services.ledger import invoices_post
from billing.services.news import invoices_tell
from billing.services.numbers import numbers_take
from billing.services.taxes import tax_rows
from billing.sql import rows_insert
from billing.tax_tables import buyers_load, issuer_frozen, tables_load
from billing.taxes import Tax, Taxation, taxation_of, taxes_of
from billing.uuids import uuid7
from tenants.models import Tenant


@dataclass(frozen=True)
class Draft:
    """An invoice to be. The period's end is not included."""

    tenant: Tenant
    kind: InvoiceKind
    currency: str
    period: tuple[date, date]
    lines: Sequence[Line]
    subscription: Subscription | None = None
    order: Order | None = None

    @cached_property
    def subtotal(self) -> int:
        """What the lines come to, in minor units, before tax."""
        return sum(line.amount for line in self.lines)

    def taxed_on(self, today: date) -> date:
        """Return the day whose rates count: that of issue, or the last of a period that is over."""
        return min(today, self.period[1] - timedelta(days=1))


@dataclass(frozen=True)
class Drafted:
    """An invoice that is reckoned and not written. `taxation` is that of most of its lines."""

    draft: Draft
    invoice: Invoice
    taxation: Taxation
    taxes: Sequence[Tax]


def invoices_issue(*, drafts: Sequence[Draft], now: datetime) -> list[Invoice]:
    """Write and issue invoices, in the order of their drafts. Call it inside a transaction, last.

    Raise Refused where a tax cannot be stated yet (taxes.py), django.db.IntegrityError where there
    is an invoice for the order, or for the subscription, period and kind.
    """
    if not drafts:
        return []
    drafted = invoices_draft(drafts=drafts, now=now)
    invoices = [each.invoice for each in drafted]
    year, first = numbers_take(count=len(invoices), now=now)
    for sequence, invoice in enumerate(invoices, start=first):
        invoice.year, invoice.sequence = year, sequence
    _invoices_write(invoices, year=year, first=first)
    _lines_write(drafted)
    InvoiceTax.objects.bulk_create(
        row for each in drafted for row in tax_rows(invoice=each.invoice, taxes=each.taxes)
    )
    invoices_post(invoices=invoices, now=now)
    invoices_tell(kind="invoice.issued", invoices=invoices, now=now)
    return invoices


def invoices_draft(*, drafts: Sequence[Draft], now: datetime) -> list[Drafted]:
    """Return the invoices as they would be issued now, without numbers. Nothing is written.

    They are taxed by the rates of the day of issue, or of the period's last day once that is over.
    """
    tables = tables_load(now=now)
    buyers = buyers_load(tenant_ids=[draft.tenant.pk for draft in drafts])
    issuer = issuer_frozen()
    due_on = tables.day + timedelta(days=settings.INVOICE_DUE_DAYS)
    drafted = []
    for draft in drafts:
        buyer, currency = buyers[draft.tenant.pk], draft.currency
        day = draft.taxed_on(tables.day)
        taxes = taxes_of(tables=tables, buyer=buyer, currency=currency, lines=draft.lines, on=day)
        tax = sum(tax.tax for tax in taxes)
        invoice = _invoice(
            draft, tax=tax, issuer=issuer, buyer=buyer.frozen(), issued_at=now, due_on=due_on
        )
        usual = taxation_of(tables=tables, buyer=buyer, on=day)
        drafted.append(Drafted(draft, invoice, usual, taxes))
    return drafted


_FIELDS = [field.attname for field in Invoice._meta.concrete_fields]


def _invoice(draft: Draft, **frozen: Any) -> Invoice:
    """Return the invoice of a draft, without a number.

    The values come by position: a model takes three times as long where they come by name.
    """
    values = {
        "id": None,
        "uuid": uuid7(),
        "tenant_id": draft.tenant.pk,
        "kind": draft.kind,
        "subscription_id": draft.subscription.pk if draft.subscription else None,
        "order_id": draft.order.pk if draft.order else None,
        "corrects_id": None,
        "period_start": draft.period[0],
        "period_end": draft.period[1],
        "state": InvoiceState.OPEN,
        "year": None,
        "sequence": None,
        "currency": draft.currency,
        "subtotal": draft.subtotal,
        "total": draft.subtotal + frozen["tax"],
        "amount_paid": 0,
        "amount_credited": 0,
        "paid_at": None,
        "note": "",
        **frozen,
    }
    invoice = Invoice(*map(values.__getitem__, _FIELDS))
    invoice.tenant = draft.tenant
    return invoice


def _invoices_write(invoices: Sequence[Invoice], *, year: int, first: int) -> None:
    """Write invoices that are numbered from `first` on, and tell each the id that it has."""
    columns = [name for name in _FIELDS if name != "id"]
    rows_insert(Invoice, columns=columns, rows=map(attrgetter(*columns), invoices))
    written = Invoice.objects.filter(
        year=year, sequence__gte=first, sequence__lt=first + len(invoices)
    )
    ids = written.order_by("sequence").values_list("pk", flat=True)
    for invoice, pk in zip(invoices, ids, strict=True):
        invoice.pk = pk
        invoice._state.adding, invoice._state.db = False, written.db


def _lines_write(drafted: Iterable[Drafted]) -> None:
    rows_insert(
        InvoiceLine,
        columns=[
            "invoice_id", "position", "group", "description", "quantity", "unit_amount", "amount",
            "tax_rate",
        ],
        rows=[
            (
                each.invoice.pk,
                position,
                line.group,
                line.description,
                line.quantity,
                line.unit_amount,
                line.amount,
                (line.taxation or each.taxation).rate,
            )
            for each in drafted
            for position, line in enumerate(each.draft.lines, start=1)
        ],
    )  # fmt: skip
