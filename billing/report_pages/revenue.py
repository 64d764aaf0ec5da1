"""Revenue by plan, as a page."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.money import major
from billing.report_pages.rows import (
    by_currency,
    newest_first,
    plan_names,
    unit_of,
    with_currency,
)
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
from billing.reports.months import Months
from billing.reports.revenue import PlanRevenue, revenue_by_plan


def revenue_page(*, months: Months, now: datetime) -> Page:
    """Return revenue by plan."""
    names = plan_names()
    revenue = revenue_by_plan(months=months)
    columns = [
        Column("month", _("Month"), Kind.MONTH),
        Column("plan", _("Plan"), Kind.TEXT),
        Column("invoiced", _("Invoiced")),
        Column("credited", _("Credited")),
        Column("revenue", _("Revenue")),
        Column("with_tax", _("Owed, with tax")),
        Column("collected", _("Collected")),
    ]
    rows = [_revenue_row(it, names) for it in revenue]
    sections = [
        Section(
            _("Revenue by plan, %(currency)s") % {"currency": currency},
            Table(columns, newest_first(of)),
            Chart(month_labels(months), _by_plan(of, months), unit_of(currency)),
        )
        for currency, of in by_currency(rows)
    ]
    return Page(
        [
            _(
                "Revenue is what was invoiced in a month, before tax, less the credit notes of that"
                " month. It is what the books say."
            ),
            _(
                "Collected is what has come in by now of that month’s invoices, by card, bank"
                " transfer or credit; beside it is what they come to with tax, less what was"
                " credited of them."
            ),
            _("Packs count for the plan that their buyer held on that day."),
        ],
        lambda: sections,
        with_currency(columns, rows),
        _(
            "Nothing was invoiced in these months. Invoices are issued when a plan is bought, on"
            " the 1st for the fee of the month, and once the usage of a month has settled."
        ),
    )


def _revenue_row(of: PlanRevenue, names: dict[int | None, str]) -> dict[str, object]:
    return {**asdict(of), "revenue": of.revenue, "plan": names[of.plan_id]}


def _by_plan(rows: Sequence[Row], months: Months) -> list[Series]:
    """Return each plan's revenue by month."""
    found = {(row["plan_id"], row["month"]): row for row in rows}
    plans = {row["plan_id"]: row["plan"] for row in rows}  # names are not unique
    return [
        Series(name, [_revenue(found.get((pk, month))) for month in months])
        for pk, name in plans.items()
    ]


def _revenue(row: Row | None) -> Decimal:
    return major(row["revenue"], row["currency"]) if row else Decimal(0)
