"""Invoices for bookkeepers: a row per line and a row per tax of it, as CSV or JSON.

Written as it is read, so that memory stays flat. Columns are only ever added, at the end. Amounts
are in the currency's own unit, credit notes' below zero; days are the issuer's.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet

from billing.models import Invoice
from billing.money import major
from billing.tax_tables import issuer_day
from tenants.export import Echo, harmless

COLUMNS = (
    "number", "kind", "corrects", "issued_on", "due_on", "state", "currency", "period_start",
    "period_end", "tenant", "buyer", "buyer_country", "buyer_tax_id", "row", "position", "group",
    "description", "quantity", "unit_price", "net", "tax_country", "tax_rate", "reverse_charge",
    "tax", "home_currency", "home_tax", "exchange_rate", "exchange_rate_on",
    "exchange_rate_source",
)  # fmt: skip
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_AT_ONCE = 500  # invoices that are read together

Row = dict[str, str]


def issued(*, first: date, last: date) -> QuerySet[Invoice]:
    """Return the invoices issued on the issuer's days from `first` to `last`, both included."""
    zone = ZoneInfo(settings.ISSUER_TIME_ZONE)
    start, end = (datetime.combine(day, time(), zone) for day in (first, last + timedelta(days=1)))
    return Invoice.objects.filter(issued_at__gte=start, issued_at__lt=end)


def export(invoices: QuerySet[Invoice], *, format_: str) -> Iterator[str]:
    """Write the issued ones of these invoices, by number, as "csv" or "json"."""
    numbered = invoices.filter(sequence__isnull=False).order_by("year", "sequence")
    read = numbered.select_related("tenant", "corrects").prefetch_related("lines", "taxes")
    rows = (row for invoice in read.iterator(chunk_size=_AT_ONCE) for row in _rows(invoice))
    return _as_csv(rows) if format_ == "csv" else _as_json(rows)


def _rows(invoice: Invoice) -> Iterator[Row]:
    common = {
        "number": invoice.number,
        "kind": invoice.kind,
        "corrects": invoice.corrects.number if invoice.corrects else "",
        "issued_on": issuer_day(invoice.issued_at).isoformat() if invoice.issued_at else "",
        "due_on": invoice.due_on.isoformat() if invoice.due_on else "",
        "state": invoice.state,
        "currency": invoice.currency,
        "period_start": invoice.period_start.isoformat(),
        "period_end": invoice.last_day.isoformat(),
        "tenant": str(invoice.tenant.uuid),
        "buyer": invoice.buyer.get("name", ""),
        "buyer_country": invoice.buyer.get("country", ""),
        "buyer_tax_id": invoice.buyer.get("tax_id", ""),
    }

    def row(**more: str) -> Row:
        return {**dict.fromkeys(COLUMNS, ""), **common, **more}

    for line in invoice.lines.all():
        yield row(
            row="line",
            position=str(line.position),
            group=line.group,
            description=line.description,
            quantity=str(line.quantity),
            unit_price=_plain(major(line.unit_amount, invoice.currency)),
            net=str(major(line.amount, invoice.currency)),
            tax_rate=_plain(line.tax_rate),
        )
    for tax in invoice.taxes.all():
        yield row(
            row="tax",
            description=tax.name,
            net=str(major(tax.net, invoice.currency)),
            tax_country=tax.country,
            tax_rate=_plain(tax.rate),
            reverse_charge="yes" if tax.is_reverse_charge else "no",
            tax=str(major(tax.tax, invoice.currency)),
            home_currency=tax.home_currency,
            home_tax=str(major(tax.home_tax, tax.home_currency))
            if tax.home_tax is not None
            else "",
            exchange_rate=_plain(tax.home_rate) if tax.home_rate is not None else "",
            exchange_rate_on=tax.home_rate_on.isoformat() if tax.home_rate_on else "",
            exchange_rate_source=tax.home_rate_source,
        )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _as_csv(rows: Iterable[Row]) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow(COLUMNS)
    for row in rows:
        yield writer.writerow(_harmless(name, row[name]) for name in COLUMNS)


def _harmless(name: str, text: str) -> str:
    is_text = name in {"buyer", "buyer_tax_id", "description", "exchange_rate_source"}
    return harmless(text) if is_text else text


def _as_json(rows: Iterable[Row]) -> Iterator[str]:
    yield "["
    for place, row in enumerate(rows):
        yield (",\n" if place else "\n") + json.dumps(row, ensure_ascii=False)
    yield "\n]\n"
