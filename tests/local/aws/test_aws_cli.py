"""The real AWS CLI against the local API Gateway: what an operator of an API would type."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local.aws.apis import Api, make_api, unique
from tests.local.aws.cli import cli, needs_cli
from tests.local.aws.program import Program

pytestmark = needs_cli


@pytest.fixture
def own(gateway: Any) -> Api:
    """An API that a test may change; nothing of it is deployed."""
    api = make_api(gateway)
    api.mock("/open", keyed=False)
    return api


def printed(aws: Program, *arguments: str) -> Any:
    """What a command prints. It must succeed, without a warning."""
    done = cli(aws, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout) if done.stdout else None


def test_an_api_is_found_and_deployed(aws: Program, http: httpx.Client, own: Api) -> None:
    ids = printed(aws, "get-rest-apis", "--query", "items[].id")
    assert own.id in ids
    api = ("--rest-api-id", own.id)
    made = printed(aws, "create-deployment", *api, "--stage-name", "cli", "--description", "d")
    deployments = printed(aws, "get-deployments", *api)["items"]
    assert [(item["id"], item["description"]) for item in deployments] == [(made["id"], "d")]
    assert http.get(f"/_aws/execute-api/{own.id}/cli/open").json() == {"ok": True}


def test_a_stage_is_updated(aws: Program, own: Api) -> None:
    own.deploy("cli")
    stage = ("--rest-api-id", own.id, "--stage-name", "cli")
    operations = (
        "op=replace,path=/variables/site,value=s.example",
        "op=replace,path=/*/*/throttling/rateLimit,value=2.5",
        "op=replace,path=/tracingEnabled,value=true",
    )
    printed(aws, "update-stage", *stage, "--patch-operations", *operations)
    shown = printed(aws, "get-stage", *stage)
    assert (shown["variables"], shown["tracingEnabled"]) == ({"site": "s.example"}, True)
    assert shown["methodSettings"]["*/*"]["throttlingRateLimit"] == 2.5
    stages = printed(aws, "get-stages", "--rest-api-id", own.id)["item"]
    assert [each["stageName"] for each in stages] == ["cli"]


def test_a_gateway_response_is_put(aws: Program, http: httpx.Client, own: Api) -> None:
    own.mock("/keyed")
    response = ("--rest-api-id", own.id, "--response-type", "INVALID_API_KEY")
    templates = json.dumps({"application/json": '{"why": $context.error.messageString}'})
    printed(
        aws,
        "put-gateway-response",
        *response,
        *("--status-code", "401"),
        *("--response-templates", templates),
    )
    shown = printed(aws, "get-gateway-response", *response)
    assert (shown["statusCode"], shown["defaultResponse"]) == ("401", False)
    own.deploy("cli")
    answer = http.get(f"/_aws/execute-api/{own.id}/cli/keyed")
    assert (answer.status_code, answer.json()) == (401, {"why": "Forbidden"})


def test_an_integration_is_patched(aws: Program, http: httpx.Client, own: Api) -> None:
    at = (
        *("--rest-api-id", own.id),
        *("--resource-id", own.resource("/open")),
        *("--http-method", "GET"),
    )
    path = "/responseTemplates/application~1json"
    operations = f'[{{"op": "replace", "path": "{path}", "value": "{{\\"new\\": 1}}"}}]'
    answer = ("--status-code", "200", "--patch-operations", operations)
    printed(aws, "update-integration-response", *at, *answer)
    own.deploy("cli")
    assert http.get(f"/_aws/execute-api/{own.id}/cli/open").json() == {"new": 1}


def test_a_plan_and_a_key_are_made(aws: Program, http: httpx.Client, own: Api) -> None:
    own.mock("/keyed")
    own.deploy("cli")
    name = unique("cli")
    stages = ("--api-stages", f"apiId={own.id},stage=cli")
    plan = printed(aws, "create-usage-plan", "--name", name, *stages)["id"]
    key = printed(aws, "create-api-key", "--name", name, "--enabled")
    joined = ("--usage-plan-id", plan, "--key-id", key["id"])
    printed(aws, "create-usage-plan-key", *joined, "--key-type", "API_KEY")
    headers = {"x-api-key": key["value"]}
    url = f"/_aws/execute-api/{own.id}/cli/keyed"
    assert http.get(url, headers=headers).status_code == 200
    printed(aws, "delete-usage-plan-key", *joined)
    assert http.get(url, headers=headers).status_code == 403


def test_tags_are_written_and_read(aws: Program, own: Api) -> None:
    arn = ("--resource-arn", f"arn:aws:apigateway:us-east-1::/restapis/{own.id}")
    printed(aws, "tag-resource", *arn, "--tags", "team=a,cost=b")
    printed(aws, "untag-resource", *arn, "--tag-keys", "cost")
    assert printed(aws, "get-tags", *arn)["tags"] == {"team": "a"}
    assert printed(aws, "get-rest-api", "--rest-api-id", own.id)["tags"] == {"team": "a"}


@pytest.mark.parametrize(
    ("operation", "command"),
    [
        ("GetExport", ("get-export", "--stage-name", "cli", "--export-type", "oas30", "out.json")),
        ("GetSdk", ("get-sdk", "--stage-name", "cli", "--sdk-type", "javascript", "out.zip")),
        ("PutRestApi", ("put-rest-api", "--body", "fileb:///dev/null")),
        ("FlushStageCache", ("flush-stage-cache", "--stage-name", "cli")),
    ],
)
def test_what_is_not_supported_is_said(
    aws: Program, own: Api, tmp_path: Path, operation: str, command: tuple[str, ...]
) -> None:
    name, *rest = [str(tmp_path / part) if part.startswith("out.") else part for part in command]
    refused = cli(aws, name, "--rest-api-id", own.id, *rest)
    assert refused.returncode != 0
    expected = f"(BadRequestException) when calling the {operation} operation: "
    assert expected + f"{operation} is not supported by the local AWS" in refused.stderr
    assert list(tmp_path.iterdir()) == []
