"""GetUsage and UpdateUsage, against calls that were really made."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.local.aws.apis import Api, Caller, patch, statuses
from tests.local.aws.program import TODAY
from tests.local.aws.usage import pairs, set_remaining

MONTHLY = {"limit": 5, "period": "MONTH"}
DAILY = {"limit": 5, "period": "DAY"}


def test_every_day_has_its_pair(gateway: Any, api: Api, call: Caller, control: Any) -> None:
    plan_id = api.plan(quota=MONTHLY)
    key_id, key = api.key(plan_id)
    control("clock", now="2026-03-10T12:00:00Z")
    statuses(call, key, 2)
    control("clock", now="2026-03-12T23:59:00Z")
    statuses(call, key, 1)
    assert pairs(gateway, plan_id, key_id, "2026-03-09", "2026-03-13") == [
        [0, 5],
        [2, 3],
        [0, 3],
        [1, 2],
        [0, 2],
    ]


def test_a_month_ends_on_its_last_midnight_utc(
    gateway: Any, api: Api, call: Caller, control: Any
) -> None:
    plan_id = api.plan(quota=MONTHLY)
    key_id, key = api.key(plan_id)
    control("clock", now="2026-02-28T23:59:00Z")
    assert statuses(call, key, 6) == [200] * 5 + [429]
    control("clock", now="2026-03-01T00:00:01Z")
    assert statuses(call, key, 1) == [200]
    assert pairs(gateway, plan_id, key_id, "2026-02-27", "2026-03-01") == [[0, 5], [5, 0], [1, 4]]


@pytest.mark.parametrize(
    ("period", "turn"),
    [
        ("DAY", ("2026-03-10T23:59:00Z", "2026-03-11T00:00:00Z")),
        ("WEEK", ("2026-03-14T23:59:00Z", "2026-03-15T00:00:00Z")),
        ("MONTH", ("2026-12-31T23:59:00Z", "2027-01-01T00:00:00Z")),
    ],
)
def test_periods_are_calendar_periods(
    api: Api, call: Caller, control: Any, period: str, turn: tuple[str, str]
) -> None:
    _, key = api.key(api.plan(quota={"limit": 1, "period": period}))
    for now in turn:
        control("clock", now=now)
        assert statuses(call, key, 2) == [200, 429]


def test_remaining_is_set_for_this_period_only(
    gateway: Any, api: Api, call: Caller, control: Any
) -> None:
    plan_id = api.plan(quota=DAILY)
    key_id, key = api.key(plan_id)
    control("clock", now="2026-03-10T12:00:00Z")
    assert statuses(call, key, 6) == [200] * 5 + [429]
    answer = set_remaining(gateway, plan_id, key_id, 7)
    assert answer["items"] == {key_id: [[5, 7]]}
    assert statuses(call, key, 8) == [200] * 7 + [429]
    set_remaining(gateway, plan_id, key_id, 0)
    assert statuses(call, key, 1) == [429]
    control("clock", now="2026-03-11T12:00:00Z")
    assert statuses(call, key, 6) == [200] * 5 + [429]
    assert pairs(gateway, plan_id, key_id, "2026-03-10", "2026-03-11") == [[12, 0], [5, 0]]


def test_setting_the_same_remaining_again_changes_nothing(
    gateway: Any, api: Api, call: Caller
) -> None:
    plan_id = api.plan(quota=MONTHLY)
    key_id, key = api.key(plan_id)
    for _ in range(3):
        set_remaining(gateway, plan_id, key_id, 2)
    assert statuses(call, key, 3) == [200, 200, 429]


@pytest.mark.parametrize(
    "operation",
    [
        *patch("/remaining", "-1"),
        *patch("/remaining", "many"),
        *patch("/remaining"),
        *patch("/remaining", "1", op="add"),
        *patch("/used", "1"),
    ],
)
def test_a_bad_update_is_refused(gateway: Any, api: Api, operation: dict[str, str]) -> None:
    plan_id = api.plan(quota=MONTHLY)
    key_id, _ = api.key(plan_id)
    with pytest.raises(gateway.exceptions.BadRequestException):
        gateway.update_usage(usagePlanId=plan_id, keyId=key_id, patchOperations=[operation])


def test_usage_of_what_is_not_there_is_not_found(gateway: Any, api: Api) -> None:
    plan_id, (key_id, _) = api.plan(quota=MONTHLY), api.key(None)
    with pytest.raises(gateway.exceptions.NotFoundException):
        set_remaining(gateway, plan_id, key_id, 1)
    day = "2026-03-01"
    with pytest.raises(gateway.exceptions.NotFoundException):
        gateway.get_usage(usagePlanId="nosuch", startDate=day, endDate=day)
    with pytest.raises(gateway.exceptions.NotFoundException):
        gateway.get_usage(usagePlanId=plan_id, keyId="nosuchkey0", startDate=day, endDate=day)


def test_a_plan_without_a_quota_has_nothing_to_set(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan()
    key_id, key = api.key(plan_id)
    assert statuses(call, key, 3) == [200] * 3
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY)[0][0] == 3
    with pytest.raises(gateway.exceptions.BadRequestException, match="no quota"):
        set_remaining(gateway, plan_id, key_id, 1)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-03-10", "2026-03-09"), ("2026-01-01", "2026-04-02"), ("yesterday", "2026-03-09")],
)
def test_a_range_that_cannot_be_is_refused(gateway: Any, api: Api, start: str, end: str) -> None:
    plan_id = api.plan()
    with pytest.raises(gateway.exceptions.BadRequestException, match=r"date|Date"):
        gateway.get_usage(usagePlanId=plan_id, startDate=start, endDate=end)


def test_ninety_days_are_the_longest_range(gateway: Any, api: Api) -> None:
    plan_id = api.plan(quota=MONTHLY)
    key_id, _ = api.key(plan_id)
    start = date(2026, 1, 1)
    found = pairs(gateway, plan_id, key_id, "2026-01-01", str(start + timedelta(days=90)))
    assert found == [[0, 5]] * 91


def test_a_whole_plan_is_read_page_by_page(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan(quota=MONTHLY)
    keys = dict(api.key(plan_id) for _ in range(5))
    for number, key in enumerate(keys.values()):
        statuses(call, key, number)
    found: dict[str, Any] = {}
    position: dict[str, str] = {}
    pages = 0
    while True:
        pages += 1
        page = gateway.get_usage(
            usagePlanId=plan_id, startDate=TODAY, endDate=TODAY, limit=2, **position
        )
        found |= page["items"]
        if "position" not in page:
            break
        position = {"position": page["position"]}
    assert pages == 3
    assert found == {key_id: [[n, 5 - n]] for n, key_id in enumerate(keys)}


def test_a_new_limit_keeps_what_was_spent(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan(quota=MONTHLY)
    (one_id, one), (two_id, two) = api.key(plan_id), api.key(plan_id)
    statuses(call, one, 3)
    statuses(call, two, 1)
    set_remaining(gateway, plan_id, two_id, 1)
    gateway.update_usage_plan(usagePlanId=plan_id, patchOperations=patch("/quota/limit", "7"))
    assert pairs(gateway, plan_id, one_id, TODAY, TODAY) == [[3, 4]]
    assert pairs(gateway, plan_id, two_id, TODAY, TODAY) == [[1, 1]]
    assert statuses(call, one, 5) == [200] * 4 + [429]
    gateway.update_usage_plan(usagePlanId=plan_id, patchOperations=patch("/quota/limit", "2"))
    assert pairs(gateway, plan_id, one_id, TODAY, TODAY) == [[7, 0]]


def test_a_key_that_leaves_takes_no_history_with_it_and_comes_back_fresh(
    gateway: Any, api: Api, call: Caller
) -> None:
    first, second = api.plan(quota=MONTHLY), api.plan(quota={"limit": 2, "period": "MONTH"})
    key_id, key = api.key(first)
    statuses(call, key, 4)
    gateway.delete_usage_plan_key(usagePlanId=first, keyId=key_id)
    assert statuses(call, key, 1) == [403]
    assert pairs(gateway, first, key_id, TODAY, TODAY) == [[4, 1]]
    gateway.create_usage_plan_key(usagePlanId=second, keyId=key_id, keyType="API_KEY")
    assert statuses(call, key, 3) == [200, 200, 429]
    gateway.delete_usage_plan_key(usagePlanId=second, keyId=key_id)
    gateway.create_usage_plan_key(usagePlanId=first, keyId=key_id, keyType="API_KEY")
    assert statuses(call, key, 6) == [200] * 5 + [429]
    assert pairs(gateway, first, key_id, TODAY, TODAY) == [[9, 0]]
    gateway.delete_api_key(apiKey=key_id)
    assert pairs(gateway, first, key_id, TODAY, TODAY) == [[9, 0]]


def test_a_key_that_comes_back_can_find_its_counter_as_it_was(
    gateway: Any, api: Api, call: Caller, control: Any
) -> None:
    plan_id = api.plan(quota=MONTHLY)
    key_id, key = api.key(plan_id)
    statuses(call, key, 4)
    control("attach", keeps=True)
    gateway.delete_usage_plan_key(usagePlanId=plan_id, keyId=key_id)
    gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
    assert statuses(call, key, 2) == [200, 429]


def test_a_new_kind_of_period_counts_its_own_days(
    gateway: Any, api: Api, call: Caller, control: Any
) -> None:
    plan_id = api.plan(quota=DAILY)
    key_id, key = api.key(plan_id)
    control("clock", now="2026-03-10T12:00:00Z")
    statuses(call, key, 4)
    control("clock", now="2026-03-11T12:00:00Z")
    statuses(call, key, 2)
    set_remaining(gateway, plan_id, key_id, 50)
    gateway.update_usage_plan(
        usagePlanId=plan_id,
        patchOperations=patch("/quota/period", "MONTH") + patch("/quota/limit", "9"),
    )
    assert pairs(gateway, plan_id, key_id, "2026-03-11", "2026-03-11") == [[2, 3]]
    gateway.update_usage_plan(usagePlanId=plan_id, patchOperations=patch("/quota", op="remove"))
    assert statuses(call, key, 5) == [200] * 5
    operations = patch("/quota/period", "DAY") + patch("/quota/limit", "8")
    gateway.update_usage_plan(usagePlanId=plan_id, patchOperations=operations)
    assert statuses(call, key, 2) == [200, 429]


def test_usage_lags_until_a_key_reads_zero(
    gateway: Any, api: Api, call: Caller, control: Any
) -> None:
    plan_id = api.plan(quota=DAILY)
    (one_id, one), (two_id, two) = api.key(plan_id), api.key(plan_id)
    day = "2026-03-10"
    control("usage-lag", seconds=2700)
    control("clock", now="2026-03-10T12:00:00Z")
    statuses(call, one, 2)
    statuses(call, two, 5)
    assert pairs(gateway, plan_id, one_id, day, day) == [[0, 5]]
    assert pairs(gateway, plan_id, two_id, day, day) == [[5, 0]]
    control("clock", now="2026-03-10T12:30:00Z")
    statuses(call, one, 1)
    control("clock", now="2026-03-10T12:46:00Z")
    assert pairs(gateway, plan_id, one_id, day, day) == [[2, 3]]
    control("usage-lag", seconds=0)
    assert pairs(gateway, plan_id, one_id, day, day) == [[3, 2]]


def test_what_is_set_lags_too_but_counts_at_once(
    gateway: Any, api: Api, call: Caller, control: Any
) -> None:
    plan_id = api.plan(quota=DAILY)
    key_id, key = api.key(plan_id)
    day = "2026-03-10"
    control("usage-lag", seconds=2700)
    control("clock", now="2026-03-10T12:00:00Z")
    statuses(call, key, 5)
    control("clock", now="2026-03-10T13:00:00Z")
    assert set_remaining(gateway, plan_id, key_id, 3)["items"] == {key_id: [[5, 3]]}
    assert statuses(call, key, 1) == [200]
    assert pairs(gateway, plan_id, key_id, day, day) == [[5, 0]]
    control("clock", now="2026-03-10T13:46:00Z")
    assert pairs(gateway, plan_id, key_id, day, day) == [[6, 2]]
