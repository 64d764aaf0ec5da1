"""Ageing of receivables, as a page."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial

from django.utils.translation import gettext as _

from billing.report_pages.rows import by_currency, drawn, unit_of, with_currency
from billing.report_tables import Chart, Column, Kind, Page, Section, Series, Table
from billing.reports.ageing import Aged, ageing, ageing_by_tenant

MOST_SHOWN = 50  # tenants of a currency; the CSV has all


def ageing_page(*, now: datetime) -> Page:
    """Return what is due today, by how long it is past due."""
    buckets = [
        Column("current", _("Not due yet")),
        Column("days_30", _("1–30 days")),
        Column("days_60", _("31–60 days")),
        Column("days_90", _("61–90 days")),
        Column("older", _("More than 90 days")),
        Column("total", _("Total")),
    ]
    tenant = Column("name", _("Tenant"), Kind.TEXT)
    return Page(
        [
            _(
                "What is still due of open invoices, tax included, by how many days (UTC) it is"
                " past its due day. Together it is what the books say is receivable."
            )
        ],
        partial(_sections, tenant, buckets, now),
        with_currency([tenant, *buckets], (_aged_row(it) for it in ageing_by_tenant(now=now))),
        _("No invoice is open: nobody owes anything."),
    )


def _sections(tenant: Column, buckets: Sequence[Column], now: datetime) -> list[Section]:
    tenants = dict(
        by_currency([_aged_row(it) for it in ageing_by_tenant(now=now, most=MOST_SHOWN)])
    )
    sections = []
    for row in map(_aged_row, ageing(now=now)):
        currency = str(row["currency"])
        owed = [drawn(column, row) for column in buckets[:-1]]
        rows = tenants.get(currency, [])
        is_cut = len(rows) == MOST_SHOWN
        total = {**row, "name": _("All tenants")}
        sections.append(
            Section(
                _("Receivables, %(currency)s") % {"currency": currency},
                Table([tenant, *buckets], rows, total),
                Chart(
                    [column.label for column in buckets[:-1]],
                    [Series(_("Due"), owed)],
                    unit_of(currency),
                ),
                _("The %(most)d tenants that owe most; the CSV has all.") % {"most": MOST_SHOWN}
                if is_cut
                else "",
            )
        )
    return sections


def _aged_row(of: Aged) -> dict[str, object]:
    return {**asdict(of), "total": of.total}
