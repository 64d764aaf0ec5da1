"""What a report's page is made of: sections with a table, and mostly a chart of the same figures.

Rows are mappings of a column's name to a figure; pages write them as people do, CSV as machines do.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, auto
from functools import cached_property
from typing import Any

from django.utils.formats import date_format, number_format

from billing.money import display, major
from tenants.export import Echo, harmless

Row = Mapping[str, Any]
COLOURS = 6  # in reports.css


class Kind(Enum):
    """How a column's figures are written. None is nothing everywhere."""

    TEXT = auto()
    MONTH = auto()
    COUNT = auto()
    MONEY = auto()  # minor units of the row's `currency`
    SHARE = auto()  # a part of one, shown in percent
    DOLLARS = auto()  # US dollars, to four decimals
    TENTHS = auto()


def _number(value: Any, places: int | None = None) -> str:
    return str(number_format(value, places, use_l10n=True, force_grouping=True))


def dollars(amount: Decimal) -> str:
    """Write US dollars to four decimals: what a request costs is far below a cent."""
    return f"${_number(amount, 4)}"


Written = Mapping[Kind, Callable[[Any, Row], str]]
_SHOWN: Written = {
    Kind.TEXT: lambda value, _row: str(value),
    Kind.MONTH: lambda value, _row: date_format(value, "YEAR_MONTH_FORMAT"),
    Kind.COUNT: lambda value, _row: _number(value),
    Kind.TENTHS: lambda value, _row: _number(value, 1),
    Kind.MONEY: lambda value, row: display(value, row["currency"]),
    Kind.DOLLARS: lambda value, _row: dollars(value),
    Kind.SHARE: lambda value, _row: f"{_number(value * 100, 1)} %",
}
_PLAIN: Written = {
    Kind.TEXT: lambda value, _row: harmless(str(value)),
    Kind.MONTH: lambda value, _row: f"{value:%Y-%m}",
    Kind.COUNT: lambda value, _row: str(value),
    Kind.TENTHS: lambda value, _row: f"{value:.6f}",
    Kind.MONEY: lambda value, row: str(major(value, row["currency"])),
    Kind.DOLLARS: lambda value, _row: f"{value:.6f}",
    Kind.SHARE: lambda value, _row: f"{value:.6f}",
}


@dataclass(frozen=True)
class Column:
    """`name` heads it in the CSV, `label` on the page."""

    name: str
    label: str
    kind: Kind = Kind.MONEY

    @property
    def is_numeric(self) -> bool:
        return self.kind not in {Kind.TEXT, Kind.MONTH}

    def shown(self, row: Row) -> str:
        """Write a row's figure as people of the language do."""
        value = row.get(self.name)
        return "–" if value is None else _SHOWN[self.kind](value, row)

    def plain(self, row: Row) -> str:
        """Write a row's figure for machines: months as 2026-12, money in its own unit."""
        value = row.get(self.name)
        return "" if value is None else _PLAIN[self.kind](value, row)


@dataclass(frozen=True)
class Table:
    """Rows, and below them on the page what all together come to."""

    columns: Sequence[Column]
    rows: Iterable[Row]
    total: Row | None = None

    def cells(self) -> list[list[tuple[Column, str]]]:
        return [self._cells_of(row) for row in self.rows]

    def total_cells(self) -> list[tuple[Column, str]]:
        return self._cells_of(self.total) if self.total else []

    def _cells_of(self, row: Row) -> list[tuple[Column, str]]:
        return [(column, column.shown(row)) for column in self.columns]

    def lines(self) -> Iterator[str]:
        """Write the table as CSV."""
        writer = csv.writer(Echo())
        yield writer.writerow(column.name for column in self.columns)
        for row in self.rows:
            yield writer.writerow(column.plain(row) for column in self.columns)


@dataclass(frozen=True)
class Series:
    """Figures of a chart, one a label."""

    label: str
    values: Sequence[int | Decimal]


@dataclass(frozen=True)
class Chart:
    """Bars by month, on top of each other unless they are `lines`; all figures are in its unit."""

    labels: Sequence[str]
    series: Sequence[Series]
    unit: str
    lines: bool = False

    def figures(self) -> dict[str, Any]:
        """Return what reports.js draws."""
        return {
            "labels": self.labels,
            "lines": self.lines,
            "series": [
                {"label": one.label, "values": list(map(float, one.values)), "colour": colour}
                for one, colour in self.legend()
            ],
        }

    def legend(self) -> list[tuple[Series, str]]:
        """Return each series with its colour's name."""
        return [(one, f"series-{at % COLOURS}") for at, one in enumerate(self.series)]


@dataclass(frozen=True)
class Section:
    title: str
    table: Table
    chart: Chart | None = None
    note: str = ""


@dataclass(frozen=True)
class Page:
    """A report. `words` say how its figures come about, `empty` what to do where there are none.

    `draw` makes its sections, which the CSV, of `table`, does without.
    """

    words: Sequence[str]
    draw: Callable[[], Sequence[Section]]
    table: Table
    empty: str

    @cached_property
    def sections(self) -> Sequence[Section]:
        return self.draw()


def month_labels(months: Iterable[date]) -> list[str]:
    """Return what stands below a chart's bars, in the reader's language."""
    return [date_format(month, "YEAR_MONTH_FORMAT") for month in months]
