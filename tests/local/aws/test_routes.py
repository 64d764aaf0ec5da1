"""Which method of which resource answers, and when a deployment makes it so."""

import json
from typing import Any

import httpx
import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_api
from tests.local.aws.program import Program

ROUTES = [
    ("/", "GET"),
    ("/pets", "GET"),
    ("/pets", "ANY"),
    ("/pets/{id}", "GET"),
    ("/pets/mine", "GET"),
    ("/pets/mine", "OPTIONS"),
    ("/pets/{id}/toys", "GET"),
    ("/files/{proxy+}", "ANY"),
    ("/files/{proxy+}", "PUT"),
    ("/{rest+}", "POST"),
]


@pytest.fixture(scope="module")
def routed(gateway: Any, http: httpx.Client) -> Caller:
    """Every method answers with its own name."""
    api = make_api(gateway)
    for path, method in ROUTES:
        api.mock(path, method, keyed=False, body=f'"{method} {path}"')
    api.deploy()
    return Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "", "GET /"),
        ("GET", "/", "GET /"),
        ("GET", "/pets", "GET /pets"),
        ("GET", "/pets/", "GET /pets"),
        ("DELETE", "/pets", "ANY /pets"),
        ("GET", "/pets/mine", "GET /pets/mine"),
        ("GET", "/pets/1", "GET /pets/{id}"),
        ("GET", "/pets/a%2Fb", "GET /pets/{id}"),
        ("GET", "/pets/mine/toys", "GET /pets/{id}/toys"),
        ("GET", "/files/a/b/c", "ANY /files/{proxy+}"),
        ("PUT", "/files/a", "PUT /files/{proxy+}"),
        ("POST", "/pets/mine", "POST /{rest+}"),
        ("POST", "/anything/at/all", "POST /{rest+}"),
        ("GET", "/anything", None),
        ("GET", "/files", None),
        ("POST", "/", None),
    ],
)
def test_the_most_specific_route_that_serves_the_method_answers(
    routed: Caller, method: str, path: str, expected: str | None
) -> None:
    answer = routed(path, method=method)
    if expected is None:
        assert answer.status_code == 403
        assert answer.json() == {"message": "Missing Authentication Token"}
    else:
        assert (answer.status_code, answer.json()) == (200, expected)


def test_head_is_answered_without_a_body(routed: Caller) -> None:
    for path, status in (("/pets", 200), ("/nothing", 403)) * 2:
        answer = routed(path, method="HEAD")
        assert (answer.status_code, answer.content) == (status, b"")
    assert routed("/pets").status_code == 200  # the connection is in order


def test_preflight_is_answered_without_a_key(api: Api, call: Caller) -> None:
    headers = {
        "Access-Control-Allow-Origin": "https://portal.example.com",
        "Access-Control-Allow-Headers": "x-api-key,content-type",
        "Access-Control-Allow-Methods": "GET,OPTIONS",
    }
    api.mock("/ping", "OPTIONS", keyed=False, body="", status="204", headers=headers)
    api.deploy()
    answer = call("/ping", method="OPTIONS", headers={"origin": "https://portal.example.com"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert {name: answer.headers[name] for name in headers} == headers


def test_a_method_is_served_from_its_deployment_on(gateway: Any, http: httpx.Client) -> None:
    api = make_api(gateway)
    api.mock("/first", keyed=False)
    api.deploy()
    api.mock("/second", keyed=False)
    call = Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")
    assert (call("/first").status_code, call("/second").status_code) == (200, 403)
    api.deploy()
    assert (call("/first").status_code, call("/second").status_code) == (200, 200)


def test_a_stage_goes_back_to_an_older_deployment(gateway: Any, http: httpx.Client) -> None:
    api = make_api(gateway)
    api.mock("/version", keyed=False, body="1")
    api.deploy()
    old = gateway.get_stage(restApiId=api.id, stageName=STAGE)["deploymentId"]
    api.gateway.delete_method(
        restApiId=api.id, resourceId=api.resource("/version"), httpMethod="GET"
    )
    api.mock("/version", keyed=False, body="2")
    api.deploy()
    call = Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")
    assert call("/version").json() == 2
    gateway.update_stage(
        restApiId=api.id,
        stageName=STAGE,
        patchOperations=[{"op": "replace", "path": "/deploymentId", "value": old}],
    )
    assert call("/version").json() == 1


TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Api": {
            "Type": "AWS::ApiGateway::RestApi",
            "Properties": {"Name": "stack", "Tags": [{"Key": "ms-custom-id", "Value": "stack0"}]},
        },
        "Ping": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": "ping",
            },
        },
        "Get": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ResourceId": {"Ref": "Ping"},
                "HttpMethod": "GET",
                "AuthorizationType": "NONE",
                "ApiKeyRequired": True,
                "Integration": {
                    "Type": "MOCK",
                    "RequestTemplates": {"application/json": '{"statusCode": 200}'},
                    "IntegrationResponses": [
                        {"StatusCode": "200", "ResponseTemplates": {"application/json": "1"}}
                    ],
                },
            },
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": ["Get"],
            "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": STAGE},
        },
    }
}


def test_a_stack_is_served_as_soon_as_it_is_complete(
    aws: Program, gateway: Any, http: httpx.Client
) -> None:
    stacks = aws.client("cloudformation")
    stacks.create_stack(StackName="served", TemplateBody=json.dumps(TEMPLATE))
    stacks.get_waiter("stack_create_complete").wait(StackName="served", WaiterConfig={"Delay": 1})
    api = Api(gateway, "stack0")
    call = Caller(http, f"/_aws/execute-api/stack0/{STAGE}")
    _, key = api.key(api.plan())
    assert (call("/ping").status_code, call("/ping", key).status_code) == (403, 200)
    stacks.delete_stack(StackName="served")
    stacks.get_waiter("stack_delete_complete").wait(StackName="served", WaiterConfig={"Delay": 1})
    assert call("/ping", key).status_code == 404
