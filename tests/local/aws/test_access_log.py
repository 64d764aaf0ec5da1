"""What a stage's access log says of every call, and how it gets to CloudWatch and further."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_api, make_function, unique
from tests.local.aws.program import Program, running

PATIENCE_SECONDS = 120
FORMAT = json.dumps(
    {
        "time": "$context.requestTimeEpoch",
        "request": "$context.requestId",
        "key": "$context.identity.apiKeyId",
        "value": "$context.identity.apiKey",
        "method": "$context.httpMethod",
        "path": "$context.resourcePath",
        "status": "$context.status",
        "latency": "$context.responseLatency",
        "bytes": "$context.responseLength",
        "error": "$context.error.responseType",
        "agent": "$context.identity.userAgent",
        "user": "$context.authorizer.principalId",
    }
)
NOON_MS = "1773144000000"  # where the clock of every server starts


def arn_of(group: str) -> str:
    return f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"


def until(ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Ask until the answer is good."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not good(found := ask()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)  # between two looks; what is waited for is the condition
    return found


def lines(logs: Any, group: str) -> list[dict[str, str]]:
    events = logs.filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"]) for event in events]


@pytest.fixture
def group(aws: Program) -> str:
    name = unique("access")
    aws.client("logs").create_log_group(logGroupName=name)
    return name


@pytest.fixture
def api(gateway: Any, group: str) -> Api:
    api = make_api(gateway)
    api.mock("/ping")
    api.mock("/items/{id}", "POST", keyed=False, body="12345")
    api.mock("/ping", "OPTIONS", keyed=False, status="204", body="")
    api.deploy()
    api.set_stage(
        **{"accessLogSettings/destinationArn": arn_of(group), "accessLogSettings/format": FORMAT}
    )
    return api


@pytest.fixture
def call(http: httpx.Client, api: Api) -> Caller:
    return Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")


@pytest.fixture
def logged(aws: Program, group: str) -> Callable[[int], list[dict[str, str]]]:
    """The lines of so many calls, once they are there."""
    logs = aws.client("logs")
    return lambda count: until(lambda: lines(logs, group), lambda it: len(it) == count)


def test_a_line_says_who_called_what_and_what_came_of_it(
    api: Api, call: Caller, logged: Callable[[int], list[dict[str, str]]]
) -> None:
    key_id, key = api.key(api.plan())
    keyed = call("/ping", key, headers={"user-agent": 'a "quoted" agent'})
    open_ = call("/items/7", method="POST", headers={"user-agent": ""})
    preflight = call("/ping", method="OPTIONS")
    first, second, third = logged(3)
    assert 0 <= int(first.pop("latency")) < 60_000
    assert int(first.pop("time")) >= int(NOON_MS)
    assert first == {
        "request": keyed.headers["x-amzn-RequestId"],
        "key": key_id,
        "value": "*" * len(key),
        "method": "GET",
        "path": "/ping",
        "status": "200",
        "bytes": str(len(keyed.content)),
        "error": "-",
        "agent": 'a "quoted" agent',
        "user": "-",
    }
    assert second["request"] == open_.headers["x-amzn-RequestId"]
    assert (second["path"], second["bytes"]) == ("/items/{id}", "5")
    assert (second["key"], second["value"], second["agent"]) == ("-", "-", "-")
    assert third["request"] == preflight.headers["x-amzn-RequestId"]
    assert (third["method"], third["status"], third["bytes"]) == ("OPTIONS", "204", "0")


def test_refused_calls_are_there_with_their_key_and_reason(
    api: Api, call: Caller, logged: Callable[[int], list[dict[str, str]]]
) -> None:
    slow_id, slow = api.key(api.plan(throttle={"rateLimit": 0.001, "burstLimit": 1}))
    spent_id, spent = api.key(api.plan(quota={"limit": 1, "period": "MONTH"}))
    for key in (slow, slow, spent, spent, "nobodys"):
        call("/ping", key)
    call("/nowhere", slow)
    seen = [(it["key"], it["path"], it["status"], it["error"]) for it in logged(6)]
    assert seen == [
        (slow_id, "/ping", "200", "-"),
        (slow_id, "/ping", "429", "THROTTLED"),
        (spent_id, "/ping", "200", "-"),
        (spent_id, "/ping", "429", "QUOTA_EXCEEDED"),
        ("-", "/ping", "403", "INVALID_API_KEY"),
        ("-", "-", "403", "MISSING_AUTHENTICATION_TOKEN"),
    ]


def test_no_key_is_in_it(
    aws: Program, api: Api, call: Caller, group: str, logged: Callable[[int], Any]
) -> None:
    _, key = api.key(api.plan())
    call("/ping", key)
    call("/ping", "a-key-that-nobody-has-0123456789")
    logged(2)
    text = json.dumps(aws.client("logs").filter_log_events(logGroupName=group)["events"])
    assert key not in text
    assert "a-key-that-nobody-has" not in text


def test_a_setting_acts_at_once_and_can_be_taken_away(
    api: Api, call: Caller, logged: Callable[[int], list[dict[str, str]]]
) -> None:
    api.set_stage(**{"accessLogSettings/format": '{"only": "$context.requestId"}'})
    answer = call("/ping")
    assert logged(1) == [{"only": answer.headers["x-amzn-RequestId"]}]
    api.set_stage(accessLogSettings=None)
    call("/ping")
    api.set_stage(
        **{
            "accessLogSettings/destinationArn": arn_of("nowhere"),
            "accessLogSettings/format": FORMAT,
        }
    )
    assert call("/ping").status_code == 403  # a group that is not there harms nobody
    assert len(logged(1)) == 1


FORWARDING = """
import base64, gzip, json, os, boto3
def handler(event, context):
    data = gzip.decompress(base64.b64decode(event["awslogs"]["data"]))
    print(len(data))
    sqs = boto3.client("sqs", endpoint_url=os.environ["ENDPOINT"], region_name="us-east-1")
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=data.decode())
"""


def test_subscribed_functions_get_every_line(
    aws: Program, api: Api, call: Caller, group: str
) -> None:
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("lines"))["QueueUrl"]
    function = make_function(
        aws.client("lambda"),
        FORWARDING,
        Environment={"Variables": {"QUEUE": queue, "ENDPOINT": aws.url}},
        Timeout=30,
    )
    aws.client("logs").put_subscription_filter(
        logGroupName=group, filterName="all", filterPattern="", destinationArn=function
    )
    sent = {call("/items/1", method="POST").headers["x-amzn-RequestId"] for _ in range(30)}
    seen: list[str] = []

    def receive() -> list[str]:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            batch = json.loads(message["Body"])
            assert (batch["messageType"], batch["logGroup"]) == ("DATA_MESSAGE", group)
            seen.extend(json.loads(event["message"])["request"] for event in batch["logEvents"])
        return seen

    until(receive, lambda it: len(it) >= len(sent))
    assert (len(seen), set(seen)) == (30, sent)


def test_a_stack_sets_it_too(aws: Program, http: httpx.Client, group: str) -> None:
    of_api = {"RestApiId": {"Ref": "Api"}}
    tag = {"Key": "ms-custom-id", "Value": "logged0"}
    resources = {
        "Api": {
            "Type": "AWS::ApiGateway::RestApi",
            "Properties": {"Name": "logged", "Tags": [tag]},
        },
        "Method": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                **of_api,
                "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "HttpMethod": "GET",
                "AuthorizationType": "NONE",
                "Integration": {
                    "Type": "MOCK",
                    "RequestTemplates": {"application/json": '{"statusCode": 200}'},
                    "IntegrationResponses": [{"StatusCode": "200"}],
                },
            },
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": ["Method"],
            "Properties": of_api,
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                **of_api,
                "StageName": STAGE,
                "DeploymentId": {"Ref": "Deployment"},
                "AccessLogSetting": {
                    "DestinationArn": {"Fn::Sub": arn_of("${Group}")},
                    "Format": '{"status": "$context.status"}',
                },
            },
        },
    }
    template = {"Parameters": {"Group": {"Type": "String"}}, "Resources": resources}
    stacks = aws.client("cloudformation")
    stacks.create_stack(
        StackName="logged",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Group", "ParameterValue": group}],
    )
    stacks.get_waiter("stack_create_complete").wait(StackName="logged", WaiterConfig={"Delay": 1})
    assert http.get(f"/_aws/execute-api/logged0/{STAGE}/").status_code == 200
    logs = aws.client("logs")
    until(lambda: lines(logs, group), lambda it: it == [{"status": "200"}])
    stacks.delete_stack(StackName="logged")
    stacks.get_waiter("stack_delete_complete").wait(StackName="logged", WaiterConfig={"Delay": 1})


def test_a_server_that_stops_has_written_every_line(tmp_path: Path) -> None:
    with running(tmp_path) as program, httpx.Client() as client:
        program.client("logs").create_log_group(logGroupName="kept")
        api = make_api(program.client("apigateway"))
        api.mock("/open", keyed=False)
        api.deploy()
        api.set_stage(
            **{
                "accessLogSettings/destinationArn": arn_of("kept"),
                "accessLogSettings/format": FORMAT,
            }
        )
        url = f"{program.url}/_aws/execute-api/{api.id}/{STAGE}/open"
        sent = {client.get(url).headers["x-amzn-RequestId"] for _ in range(7)}
        assert program.stop() == 0
    with running(tmp_path) as program:
        found = lines(program.client("logs"), "kept")
    assert {line["request"] for line in found} == sent
