"""Who may call, and what the others are told."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.local.aws.apis import STAGE, Api, Caller, patch, statuses
from tests.local.aws.program import TODAY
from tests.local.aws.usage import pairs


def seen(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.text, answer.headers["x-amzn-ErrorType"]


FORBIDDEN = (403, '{"message":"Forbidden"}', "ForbiddenException")
NO_SUCH_ROUTE = (
    403,
    '{"message":"Missing Authentication Token"}',
    "MissingAuthenticationTokenException",
)
TOO_FAST = (429, '{"message":"Too Many Requests"}', "TooManyRequestsException")
TOO_MANY = (429, '{"message":"Limit Exceeded"}', "LimitExceededException")


def test_a_key_in_a_plan_opens_the_stage(api: Api, call: Caller) -> None:
    _, key = api.key(api.plan())
    answer = call("/ping", key)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert answer.headers["content-type"] == "application/json"


def test_every_answer_has_its_own_request_id(api: Api, call: Caller) -> None:
    _, key = api.key(api.plan())
    answers = [call("/ping", key), call("/ping", key), call("/ping"), call("/nothing")]
    ids = {answer.headers["x-amzn-RequestId"] for answer in answers}
    assert len(ids) == 4


def test_no_key_and_an_unknown_key_are_forbidden(call: Caller) -> None:
    assert seen(call("/ping")) == FORBIDDEN
    assert seen(call("/ping", "")) == FORBIDDEN
    assert seen(call("/ping", "nobody-has-this-key-value")) == FORBIDDEN


def test_a_key_without_a_plan_on_this_stage_is_forbidden(
    gateway: Any, api: Api, call: Caller
) -> None:
    _, loose = api.key(None)
    _, elsewhere = api.key(gateway.create_usage_plan(name="no stages")["id"])
    assert seen(call("/ping", loose)) == FORBIDDEN
    assert seen(call("/ping", elsewhere)) == FORBIDDEN


def test_disabling_and_detaching_and_deleting_work_at_once(
    gateway: Any, api: Api, call: Caller
) -> None:
    plan_id = api.plan()
    key_id, key = api.key(plan_id)
    for flag, expected in (("false", 403), ("true", 200), ("false", 403), ("true", 200)):
        gateway.update_api_key(apiKey=key_id, patchOperations=patch("/enabled", flag))
        assert call("/ping", key).status_code == expected
    gateway.delete_usage_plan_key(usagePlanId=plan_id, keyId=key_id)
    assert seen(call("/ping", key)) == FORBIDDEN
    gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
    assert call("/ping", key).status_code == 200
    gateway.delete_api_key(apiKey=key_id)
    assert seen(call("/ping", key)) == FORBIDDEN


def test_a_plan_closes_a_stage_at_once(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan()
    _, key = api.key(plan_id)
    assert call("/ping", key).status_code == 200
    label = f"{api.id}:{STAGE}"
    operations = patch("/apiStages", label, op="remove")
    gateway.update_usage_plan(usagePlanId=plan_id, patchOperations=operations)
    assert seen(call("/ping", key)) == FORBIDDEN


def test_over_the_burst_is_too_fast(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan(throttle={"rateLimit": 0.001, "burstLimit": 3})
    key_id, key = api.key(plan_id)
    _, other = api.key(plan_id)
    assert statuses(call, key, 3) == [200] * 3
    assert seen(call("/ping", key)) == TOO_FAST
    assert call("/ping", other).status_code == 200
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY)[0][0] == 3


def test_a_higher_rate_is_felt_at_once(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan(throttle={"rateLimit": 0.001, "burstLimit": 1})
    _, key = api.key(plan_id)
    assert statuses(call, key, 2) == [200, 429]
    operations = patch("/throttle/rateLimit", "1000000") + patch("/throttle/burstLimit", "50")
    gateway.update_usage_plan(usagePlanId=plan_id, patchOperations=operations)
    assert statuses(call, key, 20) == [200] * 20


def test_a_method_can_have_a_limit_of_its_own(gateway: Any, api: Api, call: Caller) -> None:
    api.mock("/slow/{id}")
    api.deploy()
    slow = {"/slow/{id}/GET": {"rateLimit": 0.001, "burstLimit": 2}}
    plan_id = api.plan(
        throttle={"rateLimit": 0.001, "burstLimit": 4},
        apiStages=[{"apiId": api.id, "stage": STAGE, "throttle": slow}],
    )
    _, key = api.key(plan_id)
    assert [call(f"/slow/{n}", key).status_code for n in range(3)] == [200, 200, 429]
    assert statuses(call, key, 5) == [200] * 4 + [429]


def test_over_the_quota_is_too_many(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan(quota={"limit": 2, "period": "MONTH"})
    key_id, key = api.key(plan_id)
    assert statuses(call, key, 2) == [200, 200]
    assert seen(call("/ping", key)) == TOO_MANY
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[2, 0]]


def test_a_quota_is_exact_however_many_call_at_once(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan(quota={"limit": 100, "period": "MONTH"})
    key_id, key = api.key(plan_id)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: call("/ping", key).status_code, range(160)))
    assert (answers.count(200), answers.count(429)) == (100, 60)
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[100, 0]]


def test_methods_that_need_no_key_count_for_nobody(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan(quota={"limit": 1, "period": "MONTH"})
    key_id, key = api.key(plan_id)
    assert [call("/open", key).status_code for _ in range(3)] == [200] * 3
    assert call("/open").status_code == 200
    assert call("/open", "nobody-has-this-key-value").status_code == 200
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[0, 1]]


def test_refused_and_unrouted_calls_do_not_count(gateway: Any, api: Api, call: Caller) -> None:
    plan_id = api.plan(quota={"limit": 1, "period": "MONTH"})
    key_id, key = api.key(plan_id)
    assert seen(call("/nothing/here", key)) == NO_SUCH_ROUTE
    assert seen(call("/ping", key, method="DELETE")) == NO_SUCH_ROUTE
    gateway.update_api_key(apiKey=key_id, patchOperations=patch("/enabled", "false"))
    assert seen(call("/ping", key)) == FORBIDDEN
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[0, 1]]


def test_a_body_over_ten_megabytes_is_refused_and_not_counted(
    gateway: Any, api: Api, call: Caller
) -> None:
    api.mock("/large", "POST")
    api.deploy()
    plan_id = api.plan(quota={"limit": 9, "period": "MONTH"})
    key_id, key = api.key(plan_id)
    limit = 10 * 1024 * 1024
    sizes = [limit, limit + 1]
    answers = [call("/large", key, method="POST", content=b"x" * size) for size in sizes]
    assert [answer.status_code for answer in answers] == [200, 413]
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[1, 8]]


@pytest.mark.parametrize("body", [b"", b"x" * 300_000])
def test_a_refused_upload_leaves_the_connection_usable(api: Api, call: Caller, body: bytes) -> None:
    api.mock("/upload", "POST")
    api.deploy()
    for _ in range(3):
        assert seen(call("/upload", method="POST", content=body)) == FORBIDDEN
