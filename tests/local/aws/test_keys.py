"""API keys: the control plane, by boto3."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.aws.apis import patch, unique
from tests.local.aws.program import NOON


def test_a_key_is_made_with_the_value_that_was_chosen(gateway: Any) -> None:
    value = unique("a-value-long-enough-for-aws")
    key = gateway.create_api_key(
        name="first", description="for tests", value=value, enabled=True, tags={"tenant": "a"}
    )
    assert (key["value"], key["name"], key["description"]) == (value, "first", "for tests")
    assert key["enabled"] is True
    assert key["tags"] == {"tenant": "a"}
    noon = datetime.fromisoformat(NOON)
    assert noon <= key["createdDate"] < noon + timedelta(hours=1)


def test_a_value_is_invented_where_none_is_chosen(gateway: Any) -> None:
    first, second = gateway.create_api_key(name="x"), gateway.create_api_key(name="x")
    assert len(first["value"]) == 40
    assert first["value"] != second["value"]
    assert first["enabled"] is False


def test_a_value_can_exist_once(gateway: Any) -> None:
    value = unique("a-value-that-is-used-twice")
    gateway.create_api_key(name="one", value=value)
    with pytest.raises(gateway.exceptions.ConflictException, match="already exists"):
        gateway.create_api_key(name="two", value=value)
    assert gateway.get_api_keys(nameQuery="two")["items"] == []


@pytest.mark.parametrize("value", ["x" * 19, "x" * 129, "é" * 30, "with a space in between"])
def test_a_value_is_20_to_128_visible_characters(gateway: Any, value: str) -> None:
    with pytest.raises(gateway.exceptions.BadRequestException, match="characters"):
        gateway.create_api_key(name="x", value=value)


def test_values_are_shown_only_where_they_are_asked_for(gateway: Any) -> None:
    name = unique("secret")
    key = gateway.create_api_key(name=name)
    assert "value" not in gateway.get_api_key(apiKey=key["id"])
    assert gateway.get_api_key(apiKey=key["id"], includeValue=True)["value"] == key["value"]
    assert "value" not in gateway.get_api_keys(nameQuery=name)["items"][0]
    shown = gateway.get_api_keys(nameQuery=name, includeValues=True)["items"]
    assert [item["value"] for item in shown] == [key["value"]]


def test_lists_are_filtered_and_paged(gateway: Any) -> None:
    name, customer = unique("paged"), unique("customer")
    made = {gateway.create_api_key(name=name, customerId=customer)["id"] for _ in range(5)}
    gateway.create_api_key(name=name)
    first = gateway.get_api_keys(nameQuery=name, customerId=customer, limit=2)
    assert len(first["items"]) == 2
    pages = gateway.get_paginator("get_api_keys").paginate(
        nameQuery=name, customerId=customer, PaginationConfig={"PageSize": 2}
    )
    assert [item["id"] for page in pages for item in page["items"]] == sorted(made)


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 501}, {"position": "not one"}])
def test_a_page_that_cannot_be_is_refused(gateway: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(gateway.exceptions.BadRequestException, match="Invalid"):
        gateway.get_api_keys(**asked)


def test_a_key_is_patched(gateway: Any) -> None:
    key_id = gateway.create_api_key(name="before")["id"]
    operations = patch("/name", "after") + patch("/description", "new") + patch("/enabled", "true")
    answer = gateway.update_api_key(apiKey=key_id, patchOperations=operations)
    assert (answer["name"], answer["description"], answer["enabled"]) == ("after", "new", True)
    assert "value" not in answer
    assert gateway.get_api_key(apiKey=key_id)["enabled"] is True


@pytest.mark.parametrize(
    "operations",
    [
        patch("/value", "something-else-that-is-long"),
        patch("/enabled", "true", op="add"),
        patch("/enabled", "perhaps"),
        patch("/enabled"),
    ],
)
def test_a_bad_patch_changes_nothing(gateway: Any, operations: list[dict[str, str]]) -> None:
    key_id = gateway.create_api_key(name="same")["id"]
    with pytest.raises(gateway.exceptions.BadRequestException):
        gateway.update_api_key(apiKey=key_id, patchOperations=patch("/name", "other") + operations)
    assert gateway.get_api_key(apiKey=key_id)["name"] == "same"


def test_a_deleted_key_is_gone_from_its_plan_too(gateway: Any) -> None:
    key_id = gateway.create_api_key(name="x")["id"]
    plan_id = gateway.create_usage_plan(name="x")["id"]
    gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
    gateway.delete_api_key(apiKey=key_id)
    assert gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"] == []
    with pytest.raises(gateway.exceptions.NotFoundException):
        gateway.get_api_key(apiKey=key_id)


@pytest.mark.parametrize("operation", ["get_api_key", "delete_api_key", "update_api_key"])
def test_an_unknown_key_is_not_found(gateway: Any, operation: str) -> None:
    more = {"patchOperations": patch("/name", "x")} if operation == "update_api_key" else {}
    with pytest.raises(gateway.exceptions.NotFoundException) as refused:
        getattr(gateway, operation)(apiKey="nosuchkey0", **more)
    assert refused.value.response["Error"]["Message"] == "Invalid API Key identifier specified"


@pytest.mark.parametrize("kind", ["apikeys", "usageplans"])
def test_tags_are_read_added_and_removed(gateway: Any, kind: str) -> None:
    make = gateway.create_api_key if kind == "apikeys" else gateway.create_usage_plan
    arn = f"arn:aws:apigateway:us-east-1::/{kind}/{make(name='x', tags={'a': '1'})['id']}"
    gateway.tag_resource(resourceArn=arn, tags={"b": "2"})
    assert gateway.get_tags(resourceArn=arn)["tags"] == {"a": "1", "b": "2"}
    gateway.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert gateway.get_tags(resourceArn=arn)["tags"] == {"b": "2"}


def test_importing_keys_is_refused_not_ignored(gateway: Any) -> None:
    with pytest.raises(ClientError, match="not supported"):
        gateway.import_api_keys(body=b"name,key", format="csv")
