"""Usage days and quota periods: UTC calendar periods, counted in whole days since 1970-01-01.

API Gateway resets a DAY at midnight, a MONTH on the 1st. That a WEEK starts on Sunday is inferred
from the documentation of `offset`.
"""

from datetime import date, timedelta

PERIODS = ("DAY", "WEEK", "MONTH")

_EPOCH = date(1970, 1, 1)
_FIRST_SUNDAY = 3  # 1970-01-01 was a Thursday
_SECONDS = 86_400


def day_at(timestamp: float) -> int:
    """The UTC day of a time in seconds since the epoch."""
    return int(timestamp // _SECONDS)


def day_of(when: date) -> int:
    return (when - _EPOCH).days


def date_of(day: int) -> date:
    return _EPOCH + timedelta(days=day)


def period_start(period: str, day: int) -> int:
    """The first day of the DAY, WEEK or MONTH that `day` lies in."""
    if period == "DAY":
        return day
    if period == "WEEK":
        return day - (day - _FIRST_SUNDAY) % 7
    return day_of(date_of(day).replace(day=1))
