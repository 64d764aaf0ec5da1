"""What the pages of reports share: rows by currency, and a chart of some of their columns."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby

from billing.models import Currency, Plan
from billing.money import major
from billing.report_tables import Chart, Column, Kind, Row, Series, Table, month_labels


def plan_names() -> dict[int | None, str]:
    return {None: "–", **dict(Plan.objects.values_list("pk", "name"))}


def by_currency(rows: Iterable[Row]) -> Iterable[tuple[str, list[Row]]]:
    """Group rows, which are in the order of their currencies."""
    return ((code, list(of)) for code, of in groupby(rows, lambda row: str(row["currency"])))


def newest_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["month"], reverse=True)


def with_currency(columns: Sequence[Column], rows: Iterable[Row]) -> Table:
    """Return the table for CSV, where all currencies are in one."""
    return Table([Column("currency", "", Kind.TEXT), *columns], rows)


def chart(rows: Sequence[Row], columns: Sequence[Column]) -> Chart:
    """Draw some columns by month: shares as lines, money as bars."""
    shares = columns[0].kind == Kind.SHARE
    return Chart(
        month_labels(row["month"] for row in rows),
        [Series(column.label, [drawn(column, row) for row in rows]) for column in columns],
        "%" if shares else unit_of(rows[0]["currency"]),
        lines=shares,
    )


def unit_of(currency: str) -> str:
    """Return what an axis of money is in."""
    return f"{Currency(currency).label} ({currency})"


def drawn(column: Column, row: Row) -> Decimal:
    value = row[column.name] or 0
    return Decimal(value * 100) if column.kind == Kind.SHARE else major(value, row["currency"])
