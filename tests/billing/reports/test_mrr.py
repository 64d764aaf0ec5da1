"""MRR worked by hand: who came, changed and left in the first months of 2026."""

from datetime import UTC, date, datetime
from decimal import Decimal

from billing.reports.months import Months
from billing.reports.mrr import Movement, MrrMonth, mrr_by_month
from tests.billing.reports.conftest import Holds

JANUARY, FEBRUARY, MARCH = (date(2026, month, 1) for month in (1, 2, 3))
NOW = datetime(2026, 4, 2, tzinfo=UTC)


def day(month: int, at: int) -> date:
    return date(2026, month, at)


def changes(month: MrrMonth) -> dict[str, tuple[int, int]]:
    return {kind: (month.changes[kind], month.counts[kind]) for kind in sorted(month.counts)}


def test_movements_of_a_month_are_told_apart_and_come_to_the_change(holds: Holds) -> None:
    # Up and down in one month; cancelled to a month's end, and back in the same month.
    holds("Ann", ("free", day(1, 1)), ("starter", day(1, 10)), ("pro", day(2, 5)),
          ("starter", day(2, 20)), ("free", day(3, 1)), ("starter", day(3, 15)))  # fmt: skip
    # A trial, then the fee; a dearer price on the 1st, and one of the same fee, which is no move.
    holds("Ben", ("pro", day(1, 20), day(2, 3)), ("pro", day(3, 1), None, 219_00),
          ("pro", day(3, 31), None, 219_00))  # fmt: skip
    holds("Cho", ("starter", day(2, 1)), ("free", day(3, 1)), currency="JPY")
    holds("Dee", ("starter", day(2, 1), day(2, 15)), ("free", day(2, 15)))  # left within the trial
    holds("Eve", ("payg", day(1, 1)))  # use alone recurs not
    holds("Fay", ("free", day(1, 1)), ("starter", day(4, 2)))  # after the months asked for

    months = mrr_by_month(months=Months(JANUARY, MARCH), now=NOW)
    yen, dollars = months[:3], months[3:]

    assert [it.currency for it in months] == ["JPY"] * 3 + ["USD"] * 3
    assert [(it.opening, it.closing) for it in dollars] == [
        (0, 29_00), (29_00, 228_00), (228_00, 248_00),
    ]  # fmt: skip
    assert changes(dollars[0]) == {"new": (29_00, 1)}
    assert changes(dollars[1]) == {
        "new": (199_00, 1), "expansion": (170_00, 1), "contraction": (-170_00, 1),
    }  # fmt: skip
    assert changes(dollars[2]) == {
        "expansion": (20_00, 1), "churn": (-29_00, 1), "reactivation": (29_00, 1),
    }  # fmt: skip
    assert [it.customers_left for it in dollars] == [1, 2, 2]
    assert [it.customer_churn for it in dollars] == [0, 0, Decimal(1) / 2]
    assert [it.gross_churn for it in dollars] == [
        None, Decimal(170) / 29, Decimal(29) / 228,
    ]  # fmt: skip
    assert [it.net_churn for it in dollars] == [None, 0, Decimal(29 - 20 - 29) / 228]
    assert [(it.opening, it.closing) for it in yen] == [(0, 0), (0, 4_500), (4_500, 0)]
    assert changes(yen[2]) == {"churn": (-4_500, 1)}


def test_later_months_open_with_what_came_before_them(holds: Holds) -> None:
    holds("Ann", ("starter", day(1, 10)), ("free", day(2, 1)), ("starter", day(3, 2)))
    holds("Ben", ("pro", day(1, 10)))

    (march,) = mrr_by_month(months=Months(MARCH, MARCH), now=NOW)

    assert (march.opening, march.customers, march.closing) == (199_00, 1, 228_00)
    assert changes(march) == {"reactivation": (29_00, 1)}


def test_a_trial_that_is_to_end_is_not_counted_before(holds: Holds) -> None:
    holds("Ann", ("starter", day(3, 1), day(3, 15)))

    before, after = (
        mrr_by_month(months=Months(MARCH, MARCH), now=datetime(2026, 3, at, tzinfo=UTC))
        for at in (14, 15)
    )

    assert before == []
    assert [(month.closing, month.counts[Movement.NEW]) for month in after] == [(29_00, 1)]
