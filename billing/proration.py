"""Which days of a month a fee is due for, and what they come to: pure, no database. Days are UTC.

Fees are due in advance: a month's on its first day, and where a subscription's fee begins within a
month, that of the days left on the day it begins. What was paid for and is not held to its end is
taken back by the change of plan that ends it, so a month that was due stays due.
"""

from dataclasses import dataclass
from datetime import date

from billing.money import prorated
from tenants.periods import Period


@dataclass(frozen=True)
class Share:
    """The days of a month from `start` on, `days` of `of`, and their `amount` in minor units."""

    start: date
    days: int
    of: int
    amount: int


def rest_of_month(*, fee: int, day: date, month: Period) -> Share:
    """Return the share of a month's fee for the days left, `day` included; rounded half up."""
    left = (month.end - day).days
    return Share(day, left, month.days, prorated(fee, days=left, of=month.days))


def fee_for_month(
    *, fee: int, fee_from: date | None, fee_until: date | None, month: Period
) -> Share | None:
    """Return what the month's run bills of a subscription's fee: due on the share's `start`.

    `fee_from` and `fee_until` are the subscription's: the first day that the run bills, and the
    first that it bills no more (None: no end). None where no day of the month is between them.
    """
    if fee_from is None:
        return None
    start = max(fee_from, month.start)
    days = (min(fee_until or month.end, month.end) - start).days
    if days <= 0:
        return None
    return Share(start, days, month.days, prorated(fee, days=days, of=month.days))
