"""Cost to serve beside revenue, as a page: what a plan costs, `free` too, and who costs most."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _

from billing.models import UnitCost
from billing.money import display_unit
from billing.report_pages.rows import by_currency, newest_first, plan_names, with_currency
from billing.report_tables import (
    Chart,
    Column,
    Kind,
    Page,
    Row,
    Section,
    Series,
    Table,
    month_labels,
)
from billing.reports.cost import Served, costs_by_plan, costs_by_tenant, costs_dearest
from billing.reports.months import Months

MOST_SHOWN = 50  # tenants of a currency; the CSV has all
SUMMED = ("requests", "conversions", "gb_seconds", "cost", "revenue", "margin")


def cost_page(*, months: Months, now: datetime) -> Page:
    """Return what it costs to serve plans and tenants."""
    names = plan_names()
    everybody = (_row(it, names) for it in costs_by_tenant(months=months))
    return Page(
        [
            _(
                "Cost counts API Gateway’s requests, a run of a function for each request and each"
                " conversion, and the GB-seconds of the function that converts, at the prices"
                " below. Shorter functions, storage and traffic are not in it."
            ),
            _(
                "The free tier is the AWS account’s, not a tenant’s: what is free of a month is"
                " shared out by use."
            ),
            _(
                "Use counts for the plan that was held on its day. A margin in another currency"
                " than the dollar takes the newest exchange rate from it of the month; enter rates"
                " under Exchange rates."
            ),
        ],
        partial(_sections, months, names),
        with_currency(_columns("month", "name", "plan"), everybody),
        _("Nothing was used or invoiced in these months. Requests are read from the gateway."),
    )


def _columns(*first: str) -> list[Column]:
    """Return some columns that say of what the figures are, and the figures."""
    of = [
        Column("month", _("Month"), Kind.MONTH),
        Column("plan", _("Plan"), Kind.TEXT),
        Column("tenants", _("Tenants"), Kind.COUNT),
        Column("name", _("Tenant"), Kind.TEXT),
    ]
    by_name = {column.name: column for column in of}
    return [
        *(by_name[name] for name in first),
        Column("requests", _("Requests"), Kind.COUNT),
        Column("conversions", _("Conversions"), Kind.COUNT),
        Column("gb_seconds", _("GB-seconds"), Kind.TENTHS),
        Column("cost", _("Cost (USD)"), Kind.DOLLARS),
        Column("revenue", _("Revenue")),
        Column("margin", _("Margin")),
    ]


def _sections(months: Months, names: dict[int | None, str]) -> list[Section]:
    rows = [_row(it, names) for it in costs_by_plan(months=months)]
    of_last = costs_dearest(month=months.last, most=MOST_SHOWN) if rows else []
    dearest = dict(by_currency([_row(it, names) for it in of_last]))
    sections = []
    for currency, of in by_currency(rows):
        in_words = {"currency": currency}
        plans = [list(each) for _plan, each in groupby(of, lambda row: row["plan_id"])]
        sections += [
            Section(
                _("Plans, tenants who pay in %(currency)s") % in_words,
                Table(_columns("plan"), [_together(each) for each in plans], _all(of)),
                Chart(
                    month_labels(months),
                    [_series(each, months) for each in plans],
                    _("Cost in US dollars (USD)"),
                ),
            ),
            Section(
                _("Plans by month, tenants who pay in %(currency)s") % in_words,
                Table(_columns("month", "plan", "tenants"), newest_first(of)),
            ),
        ]
        if shown := dearest.get(currency):
            title = _("Tenants who pay in %(currency)s, %(month)s")
            label = month_labels([months.last])[0]
            sections.append(
                Section(
                    title % {**in_words, "month": label},
                    Table(_columns("name", "plan"), shown),
                    note=_("The %(most)d tenants that cost most; the CSV has all of each month.")
                    % {"most": MOST_SHOWN},
                )
            )
    if sections:
        sections.append(_prices())
    return sections


def _row(of: Served, names: dict[int | None, str]) -> dict[str, Any]:
    return {**asdict(of), "plan": names[of.plan_id]}


def _all(rows: Sequence[Row]) -> Row:
    return {**_together(rows), "plan": _("All plans")}


def _together(rows: Sequence[Row]) -> Row:
    """Return the sums of some rows of one currency; no margin where one of them has none."""
    return {**rows[0], **{name: _sum(row[name] for row in rows) for name in SUMMED}}


def _sum(values: Iterable[Any]) -> Any:
    of = list(values)
    return None if None in of else sum(of)


def _series(rows: Sequence[Row], months: Months) -> Series:
    cost = {row["month"]: row["cost"] for row in rows}
    return Series(rows[0]["plan"], [cost.get(month, Decimal(0)) for month in months])


def _prices() -> Section:
    """Return the prices that are known, and where they are from."""
    columns = [
        Column("unit", _("Unit"), Kind.TEXT),
        Column("price", _("Price"), Kind.TEXT),
        Column("free", _("Free each month"), Kind.COUNT),
        Column("valid_from", _("From"), Kind.TEXT),
        Column("source", _("Source"), Kind.TEXT),
    ]
    rows = [
        {
            "unit": cost.get_unit_display(),
            "price": display_unit(cost.price * 100, "USD"),
            "free": cost.free,
            "valid_from": cost.valid_from.isoformat(),
            "source": f"{cost.region}: {cost.source}",
        }
        for cost in UnitCost.objects.all()
    ]
    note = _("Operators edit them under Unit costs.")
    return Section(_("Prices"), Table(columns, rows), note=note)
