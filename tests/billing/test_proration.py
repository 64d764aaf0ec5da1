"""Days of months and what they cost, worked by hand."""

from datetime import date

import pytest

from billing.proration import Share, fee_for_month, rest_of_month
from tenants.periods import Period

NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 3, 1))
LEAP = Period(date(2028, 2, 1), date(2028, 3, 1))
DECEMBER = Period(date(2026, 12, 1), date(2027, 1, 1))
USD, JPY = 29_00, 4_500  # starter


@pytest.mark.parametrize(
    ("fee", "month", "day", "days", "amount"),
    [
        (USD, NOVEMBER, 1, 30, 2900),
        (USD, NOVEMBER, 2, 29, 2803),  # 2,803.33
        (USD, NOVEMBER, 16, 15, 1450),
        (USD, NOVEMBER, 24, 7, 677),  # 676.67
        (USD, NOVEMBER, 30, 1, 97),  # 96.67
        (USD, DECEMBER, 1, 31, 2900),
        (USD, DECEMBER, 2, 30, 2806),  # 2,806.45
        (USD, DECEMBER, 31, 1, 94),  # 93.55
        (USD, FEBRUARY, 15, 14, 1450),
        (USD, FEBRUARY, 28, 1, 104),  # 103.57
        (USD, LEAP, 29, 1, 100),
        (USD, LEAP, 28, 2, 200),
        (JPY, NOVEMBER, 24, 7, 1050),
        (JPY, DECEMBER, 31, 1, 145),  # 145.16
        (JPY, FEBRUARY, 2, 27, 4339),  # 4,339.29
        (JPY, LEAP, 2, 28, 4345),  # 4,344.83
        (1, NOVEMBER, 16, 15, 1),  # a half rounds up
        (0, NOVEMBER, 16, 15, 0),
    ],
)
def test_the_rest_of_a_month(fee: int, month: Period, day: int, days: int, amount: int) -> None:
    first = month.start.replace(day=day)
    share = rest_of_month(fee=fee, day=first, month=month)
    assert share == Share(first, days, month.days, amount)


@pytest.mark.parametrize(
    ("fee_from", "fee_until", "month", "expected"),
    [
        # Paid at Checkout to the end of November: the run begins with December.
        ((12, 1), None, NOVEMBER, None),
        ((12, 1), None, DECEMBER, ((12, 1), 31, 2900)),
        ((10, 1), None, DECEMBER, ((12, 1), 31, 2900)),
        # A trial that ends within the month, on its last day, and with it.
        ((11, 15), None, NOVEMBER, ((11, 15), 16, 1547)),  # 1,546.67
        ((11, 30), None, NOVEMBER, ((11, 30), 1, 97)),
        ((11, 15), None, DECEMBER, ((12, 1), 31, 2900)),
        # Cancelled on trial: nothing.
        ((11, 15), (11, 15), NOVEMBER, None),
        ((11, 15), (11, 10), NOVEMBER, None),
        # Cancelled, or another plan from the 1st on: the month before was the last.
        ((10, 1), (12, 1), NOVEMBER, ((11, 1), 30, 2900)),
        ((10, 1), (12, 1), DECEMBER, None),
        # Nothing has begun.
        (None, None, NOVEMBER, None),
    ],
)
def test_what_the_months_run_bills(
    fee_from: tuple[int, int] | None,
    fee_until: tuple[int, int] | None,
    month: Period,
    expected: tuple[tuple[int, int], int, int] | None,
) -> None:
    share = fee_for_month(
        fee=USD,
        fee_from=date(2026, *fee_from) if fee_from else None,
        fee_until=date(2026, *fee_until) if fee_until else None,
        month=month,
    )
    if expected is None:
        assert share is None
    else:
        start, days, amount = expected
        assert share == Share(date(2026, *start), days, month.days, amount)
