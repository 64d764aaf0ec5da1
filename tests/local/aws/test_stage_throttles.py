"""The two throttles: what a stage lets through of all callers together, and what a key may send."""

import json
from typing import Any

import httpx
import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_api, patch
from tests.local.aws.program import TODAY, Program
from tests.local.aws.usage import pairs

SLOW = "0.001"  # requests a second: no token flows in while a test runs


@pytest.fixture
def api(gateway: Any) -> Api:
    api = make_api(gateway)
    api.mock("/ping")
    api.mock("/v1/things/{id}", "GET")
    api.mock("/v1/any/{proxy+}", "ANY")
    api.mock("/open", keyed=False)
    api.deploy()
    return api


@pytest.fixture
def call(http: httpx.Client, api: Api) -> Caller:
    return Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")


def limit(api: Api, method: str, burst: int, rate: str = SLOW) -> None:
    api.set_stage(
        **{
            f"{method}/throttling/rateLimit": rate,
            f"{method}/throttling/burstLimit": str(burst),
        }
    )


def statuses(call: Caller, path: str, *keys: str | None, method: str = "GET") -> list[int]:
    return [call(path, key, method=method).status_code for key in keys]


def test_all_keys_share_a_methods_limit(api: Api, call: Caller) -> None:
    limit(api, "~1ping/GET", 3)
    plan_id = api.plan()
    (_, one), (_, other) = api.key(plan_id), api.key(plan_id)
    assert statuses(call, "/ping", one, other, one, other) == [200, 200, 200, 429]
    answer = call("/ping", one)
    assert answer.json() == {"message": "Too Many Requests"}
    assert answer.headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert statuses(call, "/v1/things/1", one) == [200]


def test_a_key_that_is_used_up_takes_nothing_from_the_others(api: Api, call: Caller) -> None:
    limit(api, "~1ping/GET", 3)
    _, spent = api.key(api.plan(quota={"limit": 1, "period": "DAY"}))
    _, other = api.key(api.plan())
    assert statuses(call, "/ping", spent, spent, spent, spent) == [200, 429, 429, 429]
    assert call("/ping", spent).json() == {"message": "Limit Exceeded"}
    assert statuses(call, "/ping", other, other, other) == [200, 200, 429]


def test_each_method_has_the_default_to_itself(api: Api, call: Caller) -> None:
    limit(api, "*/*", 1)
    limit(api, "~1v1~1things~1{id}/GET", 2)
    _, key = api.key(api.plan())
    assert statuses(call, "/ping", key, key) == [200, 429]
    assert statuses(call, "/open", None, None) == [200, 429]
    assert statuses(call, "/v1/things/1", key, key, key) == [200, 200, 429]


def test_any_is_one_method(api: Api, call: Caller) -> None:
    limit(api, "~1v1~1any~1{proxy+}/ANY", 2)
    _, key = api.key(api.plan())
    seen = [call("/v1/any/x", key, method=method).status_code for method in ("GET", "PUT", "GET")]
    assert seen == [200, 200, 429]


def test_a_setting_acts_at_once_and_ends_at_once(api: Api, call: Caller) -> None:
    _, key = api.key(api.plan())
    limit(api, "~1ping/GET", 1)
    assert statuses(call, "/ping", key, key) == [200, 429]
    limit(api, "~1ping/GET", 50, rate="1000000")
    assert statuses(call, "/ping", *[key] * 10) == [200] * 10
    limit(api, "~1ping/GET", 0, rate="0")
    assert statuses(call, "/ping", key) == [429]
    api.set_stage(**{"~1ping/GET": None})
    assert statuses(call, "/ping", key) == [200]


def test_other_settings_do_not_throttle(api: Api, call: Caller) -> None:
    api.set_stage(**{"*/*/metrics/enabled": "true"})
    _, key = api.key(api.plan())
    assert statuses(call, "/ping", *[key] * 20) == [200] * 20


def test_a_throttled_call_counts_for_no_quota(gateway: Any, api: Api, call: Caller) -> None:
    limit(api, "~1ping/GET", 1)
    plan_id = api.plan(quota={"limit": 9, "period": "MONTH"})
    key_id, key = api.key(plan_id)
    assert statuses(call, "/ping", key, key, key) == [200, 429, 429]
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[1, 8]]


def test_who_calls_too_fast_takes_nothing_from_others(api: Api, call: Caller) -> None:
    limit(api, "~1ping/GET", 2)
    _, greedy = api.key(api.plan(throttle={"rateLimit": 0.001, "burstLimit": 1}))
    _, other = api.key(api.plan())
    assert statuses(call, "/ping", *[greedy] * 5, other) == [200, *[429] * 4, 200]


@pytest.mark.parametrize("written", ["/v1/any/{proxy+}/ANY", "v1/any/{proxy+}/ANY"])
def test_a_plan_limits_a_method_however_it_is_written(api: Api, call: Caller, written: str) -> None:
    own = {written: {"rateLimit": 0.001, "burstLimit": 1}}
    stages = [{"apiId": api.id, "stage": STAGE, "throttle": own}]
    plan_id = api.plan(throttle={"rateLimit": 0.001, "burstLimit": 2}, apiStages=stages)
    (_, key), (_, other) = api.key(plan_id), api.key(plan_id)
    assert statuses(call, "/v1/any/a", key, key, other) == [200, 429, 200]
    assert statuses(call, "/ping", key, key, key) == [200, 200, 429]


def test_a_plans_patch_writes_paths_with_their_slashes_escaped(
    gateway: Any, api: Api, call: Caller
) -> None:
    plan_id = api.plan()
    _, key = api.key(plan_id)
    at = f"/apiStages/{api.id}:{STAGE}/throttle/~1v1~1any~1{{proxy+}}/ANY"
    gateway.update_usage_plan(
        usagePlanId=plan_id,
        patchOperations=patch(f"{at}/rateLimit", SLOW) + patch(f"{at}/burstLimit", "1"),
    )
    assert statuses(call, "/v1/any/a", key, key) == [200, 429]


def test_a_stack_writes_paths_its_own_way(aws: Program, gateway: Any, http: httpx.Client) -> None:
    def setting(path: str, method: str, burst: int) -> dict[str, Any]:
        return {
            "ResourcePath": path,
            "HttpMethod": method,
            "ThrottlingRateLimit": 0.001,
            "ThrottlingBurstLimit": burst,
        }

    of_api = {"RestApiId": {"Ref": "Api"}}
    integration = {
        "Type": "MOCK",
        "RequestTemplates": {"application/json": '{"statusCode": 200}'},
        "IntegrationResponses": [{"StatusCode": "200"}],
    }

    def method(resource: Any) -> dict[str, Any]:
        return {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                **of_api,
                "ResourceId": resource,
                "HttpMethod": "ANY",
                "AuthorizationType": "NONE",
                "Integration": integration,
            },
        }

    def resource(parent: Any, part: str) -> dict[str, Any]:
        properties = {**of_api, "ParentId": parent, "PathPart": part}
        return {"Type": "AWS::ApiGateway::Resource", "Properties": properties}

    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    tag = {"Key": "ms-custom-id", "Value": "limits0"}
    stage = {
        **of_api,
        "StageName": STAGE,
        "DeploymentId": {"Ref": "Deployment"},
        "MethodSettings": [
            setting("/*", "*", 3),
            setting("/~1v1~1{proxy+}", "ANY", 2),
            setting("/", "ANY", 1),
        ],
    }
    template = {
        "Resources": {
            "Api": {
                "Type": "AWS::ApiGateway::RestApi",
                "Properties": {"Name": "limits", "Tags": [tag]},
            },
            "V1": resource(root, "v1"),
            "Proxy": resource({"Ref": "V1"}, "{proxy+}"),
            "OnRoot": method(root),
            "OnV1": method({"Ref": "V1"}),
            "OnProxy": method({"Ref": "Proxy"}),
            "Deployment": {
                "Type": "AWS::ApiGateway::Deployment",
                "DependsOn": ["OnRoot", "OnV1", "OnProxy"],
                "Properties": of_api,
            },
            "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": stage},
        }
    }
    stacks = aws.client("cloudformation")
    stacks.create_stack(StackName="limits", TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName="limits", WaiterConfig={"Delay": 1})
    call = Caller(http, f"/_aws/execute-api/limits0/{STAGE}")
    assert statuses(call, "/", None, None) == [200, 429]
    assert statuses(call, "/v1/a/b", *[None] * 3) == [200, 200, 429]
    assert statuses(call, "/v1", *[None] * 4) == [200, 200, 200, 429]
    stacks.delete_stack(StackName="limits")
    stacks.get_waiter("stack_delete_complete").wait(StackName="limits", WaiterConfig={"Delay": 1})
