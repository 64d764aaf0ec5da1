"""Usage plans and the keys in them: the control plane, by boto3."""

from typing import Any

import httpx
import pytest

from tests.local.aws.apis import STAGE, Api, patch

THROTTLE = {"rateLimit": 10.5, "burstLimit": 20}
QUOTA = {"limit": 100, "period": "MONTH"}


def test_a_plan_comes_back_as_it_was_made(gateway: Any, api: Api) -> None:
    stage = {"apiId": api.id, "stage": STAGE, "throttle": {"/ping/GET": THROTTLE}}
    made = gateway.create_usage_plan(
        name="whole",
        description="all of it",
        apiStages=[stage],
        throttle=THROTTLE,
        quota=QUOTA,
        tags={"a": "1"},
    )
    plan = gateway.get_usage_plan(usagePlanId=made["id"])
    for document in (made, plan):
        assert document["apiStages"] == [stage]
        assert document["throttle"] == THROTTLE
        assert document["quota"] == {**QUOTA, "offset": 0}
        assert (document["name"], document["description"]) == ("whole", "all of it")
        assert document["tags"] == {"a": "1"}


@pytest.mark.parametrize(
    "settings",
    [
        {"name": ""},
        {"throttle": {"rateLimit": -1.0, "burstLimit": 1}},
        {"throttle": {"rateLimit": 1.0, "burstLimit": -1}},
        {"quota": {"limit": 100}},
        {"quota": {"period": "DAY"}},
        {"quota": {"limit": 100, "period": "YEAR"}},
        {"quota": {"limit": -1, "period": "DAY"}},
        {"quota": {"limit": 5, "period": "DAY", "offset": 5}},
        {"apiStages": [{"apiId": "x"}]},
    ],
)
def test_a_plan_that_cannot_be_is_refused(gateway: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(gateway.exceptions.BadRequestException):
        gateway.create_usage_plan(**{"name": "x", **settings})


@pytest.mark.parametrize("stage", [{"apiId": "nosuchapi", "stage": STAGE}, {"stage": "nosuch"}])
def test_a_stage_must_exist(gateway: Any, api: Api, stage: dict[str, str]) -> None:
    stage = {"apiId": api.id, **stage}
    with pytest.raises(gateway.exceptions.NotFoundException, match="API Stage not found"):
        gateway.create_usage_plan(name="x", apiStages=[stage])
    plan_id = gateway.create_usage_plan(name="x")["id"]
    label = f"{stage['apiId']}:{stage['stage']}"
    with pytest.raises(gateway.exceptions.NotFoundException, match="API Stage not found"):
        gateway.update_usage_plan(
            usagePlanId=plan_id, patchOperations=patch("/apiStages", label, op="add")
        )


@pytest.mark.parametrize(
    "document",
    [
        "a name",
        {"name": 1},
        {"name": "x", "quota": "all"},
        {"name": "x", "throttle": [1]},
        {"name": "x", "apiStages": {"a": 1}},
        {"name": "x", "tags": ["a"]},
    ],
)
def test_a_plan_of_the_wrong_shape_is_refused(http: httpx.Client, document: object) -> None:
    answer = http.post("/usageplans", json=document)
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (400, "BadRequestException")


def test_every_part_of_a_plan_is_patched(gateway: Any, api: Api) -> None:
    plan_id = gateway.create_usage_plan(name="before")["id"]
    label = f"{api.id}:{STAGE}"
    method = f"/apiStages/{label}/throttle/~1ping/GET"
    plan = gateway.update_usage_plan(
        usagePlanId=plan_id,
        patchOperations=[
            *patch("/name", "after"),
            *patch("/description", "new"),
            *patch("/throttle/rateLimit", "2.5"),
            *patch("/throttle/burstLimit", "5"),
            *patch("/quota/limit", "70", op="add"),
            *patch("/quota/period", "WEEK", op="add"),
            *patch("/apiStages", label, op="add"),
            *patch(f"{method}/rateLimit", "1"),
            *patch(f"/apiStages/{label}/throttle//ping/GET/burstLimit", "3"),
        ],
    )
    assert (plan["name"], plan["description"]) == ("after", "new")
    assert plan["throttle"] == {"rateLimit": 2.5, "burstLimit": 5}
    assert plan["quota"] == {"limit": 70, "period": "WEEK", "offset": 0}
    override = {"/ping/GET": {"rateLimit": 1.0, "burstLimit": 3}}
    assert plan["apiStages"] == [{"apiId": api.id, "stage": STAGE, "throttle": override}]
    assert gateway.get_usage_plan(usagePlanId=plan_id)["quota"] == plan["quota"]
    plan = gateway.update_usage_plan(
        usagePlanId=plan_id,
        patchOperations=[
            *patch(method, op="remove"),
            *patch("/throttle", op="remove"),
            *patch("/quota", op="remove"),
        ],
    )
    assert "throttle" not in plan
    assert "quota" not in plan
    assert plan["apiStages"] == [{"apiId": api.id, "stage": STAGE}]


@pytest.mark.parametrize(
    "operation",
    [
        *patch("/id", "other"),
        *patch("/name", ""),
        *patch("/throttle/rateLimit", "fast"),
        *patch("/throttle/rateLimit", "inf"),
        *patch("/throttle", "1", op="add"),
        *patch("/quota/limit", "1.5"),
        *patch("/quota/period", "YEAR"),
        *patch("/quota/limit"),
        *patch("/apiStages", "without-a-colon", op="add"),
        *patch("/apiStages", "a:b", op="copy"),
    ],
)
def test_a_bad_patch_changes_nothing(gateway: Any, operation: dict[str, str]) -> None:
    plan_id = gateway.create_usage_plan(name="same", quota=QUOTA)["id"]
    before = gateway.get_usage_plan(usagePlanId=plan_id)
    with pytest.raises(gateway.exceptions.BadRequestException):
        gateway.update_usage_plan(
            usagePlanId=plan_id, patchOperations=[*patch("/description", "new"), operation]
        )
    after = gateway.get_usage_plan(usagePlanId=plan_id)
    assert {**after, "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}


def test_a_plan_with_stages_is_not_deleted(gateway: Any, api: Api) -> None:
    plan_id = api.plan()
    with pytest.raises(gateway.exceptions.BadRequestException, match="remove its API stages"):
        gateway.delete_usage_plan(usagePlanId=plan_id)
    gateway.update_usage_plan(
        usagePlanId=plan_id, patchOperations=patch("/apiStages", f"{api.id}:{STAGE}", op="remove")
    )
    gateway.delete_usage_plan(usagePlanId=plan_id)
    with pytest.raises(gateway.exceptions.NotFoundException):
        gateway.get_usage_plan(usagePlanId=plan_id)


def test_plans_are_listed_by_key_and_by_page(gateway: Any, api: Api) -> None:
    key_id, _ = api.key(None)
    plan_ids = sorted(gateway.create_usage_plan(name="x")["id"] for _ in range(3))
    for plan_id in plan_ids:
        gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
    gateway.create_usage_plan(name="not of this key")
    pages = gateway.get_paginator("get_usage_plans").paginate(
        keyId=key_id, PaginationConfig={"PageSize": 2}
    )
    assert [item["id"] for page in pages for item in page["items"]] == plan_ids


def test_keys_of_a_plan_are_read_without_their_values(gateway: Any, api: Api) -> None:
    plan_id = api.plan()
    key_id, _ = api.key(plan_id, name="mine")
    key = {"id": key_id, "type": "API_KEY", "name": "mine"}
    listed = gateway.get_usage_plan_keys(usagePlanId=plan_id, nameQuery="mi")["items"]
    one = gateway.get_usage_plan_key(usagePlanId=plan_id, keyId=key_id)
    assert listed == [key]
    assert {name: one[name] for name in key} == key
    assert "value" not in one
    gateway.delete_usage_plan_key(usagePlanId=plan_id, keyId=key_id)
    with pytest.raises(gateway.exceptions.NotFoundException):
        gateway.get_usage_plan_key(usagePlanId=plan_id, keyId=key_id)
    with pytest.raises(gateway.exceptions.NotFoundException):
        gateway.delete_usage_plan_key(usagePlanId=plan_id, keyId=key_id)


def test_a_key_joins_a_plan_once(gateway: Any, api: Api) -> None:
    plan_id = api.plan()
    key_id, _ = api.key(plan_id)
    with pytest.raises(gateway.exceptions.ConflictException, match="already has"):
        gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")


def test_unknown_keys_plans_and_key_types_are_refused(gateway: Any, api: Api) -> None:
    plan_id, (key_id, _) = api.plan(), api.key(None)
    join = gateway.create_usage_plan_key
    with pytest.raises(gateway.exceptions.NotFoundException, match="API Key"):
        join(usagePlanId=plan_id, keyId="nosuchkey0", keyType="API_KEY")
    with pytest.raises(gateway.exceptions.NotFoundException, match="Usage Plan"):
        join(usagePlanId="nosuch", keyId=key_id, keyType="API_KEY")
    with pytest.raises(gateway.exceptions.BadRequestException, match="keyType"):
        join(usagePlanId=plan_id, keyId=key_id, keyType="OTHER")


def test_a_key_has_one_plan_per_stage(gateway: Any, api: Api) -> None:
    first, second = api.plan(), api.plan()
    key_id, _ = api.key(first)
    with pytest.raises(gateway.exceptions.ConflictException, match=f"{api.id}:{STAGE}"):
        gateway.create_usage_plan_key(usagePlanId=second, keyId=key_id, keyType="API_KEY")


def test_a_plan_gets_no_stage_that_its_keys_have_by_another(gateway: Any, api: Api) -> None:
    plan_id = gateway.create_usage_plan(name="empty")["id"]
    key_id, _ = api.key(api.plan())
    gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
    with pytest.raises(gateway.exceptions.ConflictException, match=key_id):
        gateway.update_usage_plan(
            usagePlanId=plan_id, patchOperations=patch("/apiStages", f"{api.id}:{STAGE}", op="add")
        )
    assert gateway.get_usage_plan(usagePlanId=plan_id)["apiStages"] == []


def test_a_key_is_in_at_most_ten_plans(gateway: Any, api: Api) -> None:
    key_id, _ = api.key(None)
    plan_ids = [gateway.create_usage_plan(name="x")["id"] for _ in range(11)]
    for plan_id in plan_ids[:10]:
        gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
    with pytest.raises(gateway.exceptions.LimitExceededException):
        gateway.create_usage_plan_key(usagePlanId=plan_ids[10], keyId=key_id, keyType="API_KEY")
