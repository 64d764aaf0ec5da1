"""The months that a report is about. UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

USUAL = 12
MOST = 60


@dataclass(frozen=True)
class Months:
    """Calendar months, by their first days: from `first` to `last`, both included."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        month = self.first
        while month <= self.last:
            yield month
            month = moved(month, 1)

    def __len__(self) -> int:
        return _number(self.last) - _number(self.first) + 1

    @property
    def end(self) -> date:
        """The first day that is not included."""
        return moved(self.last, 1)

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.end, time(), UTC)


def months_until(now: datetime, *, count: int = USUAL) -> Months:
    """Return the month that `now` is in, and those before it."""
    last = now.astimezone(UTC).date().replace(day=1)
    return Months(moved(last, 1 - count), last)


def moved(month: date, by: int) -> date:
    """Return the first of the month so many months later."""
    year, at = divmod(_number(month) + by, 12)
    return date(year, at + 1, 1)


def _number(month: date) -> int:
    return month.year * 12 + month.month - 1
