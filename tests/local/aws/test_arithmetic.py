"""The parts that only calculate: periods, token buckets, and what a counter was a while ago."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.local.aws.history import MAX_LAG_SECONDS, History, Reading
from portal.local.aws.periods import PERIODS, date_of, day_at, day_of, period_start
from portal.local.aws.throttle import Bucket, Limit

DAYS = st.integers(min_value=0, max_value=40_000)


@pytest.mark.parametrize(
    ("period", "day", "start"),
    [
        ("DAY", date(2026, 3, 10), date(2026, 3, 10)),
        ("WEEK", date(2026, 3, 14), date(2026, 3, 8)),
        ("WEEK", date(2026, 3, 15), date(2026, 3, 15)),
        ("WEEK", date(1970, 1, 1), date(1969, 12, 28)),
        ("MONTH", date(2024, 2, 29), date(2024, 2, 1)),
    ],
)
def test_a_period_starts(period: str, day: date, start: date) -> None:
    assert date_of(period_start(period, day_of(day))) == start


@given(DAYS, st.sampled_from(PERIODS))
def test_a_period_is_one_stretch_of_days(day: int, period: str) -> None:
    start = period_start(period, day)
    assert start <= day < start + 31
    assert period_start(period, start) == start
    following = period_start(period, day + 1)
    assert following in (start, day + 1)


def test_a_day_is_a_utc_day() -> None:
    assert date_of(day_at(1_772_323_199.9)) == date(2026, 2, 28)
    assert date_of(day_at(1_772_323_200.0)) == date(2026, 3, 1)


class Seconds:
    """A clock that a test winds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(bucket: Bucket, times: int) -> int:
    return sum(bucket.take() for _ in range(times))


def test_a_bucket_holds_the_burst_and_fills_at_the_rate() -> None:
    clock = Seconds()
    bucket = Bucket(Limit(rate=2, burst=5), clock)
    assert taken(bucket, 9) == 5
    clock.now += 1.5
    assert taken(bucket, 9) == 3
    clock.now += 1_000
    assert taken(bucket, 9) == 5


@pytest.mark.parametrize(("limit", "at_once"), [(Limit(), 0), (Limit(3, 0), 1), (Limit(0, 2), 2)])
def test_half_a_limit_is_still_one(limit: Limit, at_once: int) -> None:
    assert taken(Bucket(limit, Seconds()), 9) == at_once


def test_a_resized_bucket_keeps_its_level() -> None:
    clock = Seconds()
    bucket = Bucket(Limit(rate=1, burst=10), clock)
    assert taken(bucket, 4) == 4
    bucket.resize(Limit(rate=1, burst=100))
    assert taken(bucket, 99) == 6
    clock.now += 100
    bucket.resize(Limit(rate=1, burst=3))
    assert taken(bucket, 99) == 3


COUNTER = ("plan", "key", 1)


def test_history_tells_the_figures_of_a_moment() -> None:
    history = History()
    history.note(COUNTER, 100.2, None, Reading(1, 9))
    history.note(COUNTER, 100.9, Reading(1, 9), Reading(2, 8))
    history.note(COUNTER, 105.0, Reading(2, 8), Reading(3, 7))
    now = Reading(3, 7)
    assert history.as_of(COUNTER, 99, now) is None
    assert history.as_of(COUNTER, 100, now) == Reading(2, 8)
    assert history.as_of(COUNTER, 104.9, now) == Reading(2, 8)
    assert history.as_of(COUNTER, 105, now) == now
    assert history.as_of(("plan", "other", 1), 0, now) == now


def test_history_begins_with_what_was_found() -> None:
    history = History()
    history.note(COUNTER, 100, Reading(40, 2), Reading(41, 1))
    assert history.as_of(COUNTER, 99, Reading(41, 1)) == Reading(40, 2)


def test_history_reaches_back_as_far_as_any_lag_and_no_further() -> None:
    history = History()
    for second in range(2 * MAX_LAG_SECONDS):
        history.note(COUNTER, second, None, Reading(second, None))
    last = 2 * MAX_LAG_SECONDS - 1
    oldest = history.as_of(COUNTER, last - MAX_LAG_SECONDS, None)
    assert oldest == Reading(last - MAX_LAG_SECONDS, None)
    assert history.as_of(COUNTER, 0, None) == Reading(last - MAX_LAG_SECONDS - 1, None)


def test_history_forgets_counters_that_no_lag_reaches() -> None:
    history = History()
    history.note(COUNTER, 100, None, Reading(1, 9))
    history.note(("plan", "other", 1), 100 + MAX_LAG_SECONDS + 2, None, Reading(1, 9))
    assert history.as_of(COUNTER, 50, Reading(1, 9)) == Reading(1, 9)
