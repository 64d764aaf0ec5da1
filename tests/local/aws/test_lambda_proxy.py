"""Lambda proxy methods: the event that a function gets, and what becomes of its answer."""

import json
from typing import Any

import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_function
from tests.local.aws.program import TODAY, Program
from tests.local.aws.usage import pairs

SOURCE = """
import json
import time


def handler(event, context):
    print("called")
    is_json = event["body"] and not event["isBase64Encoded"]
    wanted = json.loads(event["body"]) if is_json else {"answer": None}
    if "raise" in wanted:
        raise RuntimeError(wanted["raise"])
    if "sleep" in wanted:
        time.sleep(wanted["sleep"])
    if wanted["answer"] is not None:
        return wanted["answer"]
    return {"statusCode": 200, "body": json.dumps(event)}
"""


@pytest.fixture(scope="module")
def function(aws: Program, api: Api) -> str:
    arn = make_function(aws.client("lambda"), SOURCE, Timeout=30)
    api.function("/fn/{proxy+}", "ANY", arn)
    api.function("/open-fn", "ANY", arn, keyed=False)
    api.function("/hasty", "POST", arn, timeout_ms=100)
    api.function("/gone", "GET", arn + "-that-is-not-there")
    api.deploy()
    return arn


@pytest.fixture
def key(api: Api, function: str) -> tuple[str, str, str]:
    """The plan's id, and a key's id and value."""
    plan_id = api.plan(quota={"limit": 100, "period": "MONTH"})
    return plan_id, *api.key(plan_id)


def test_the_event_tells_who_calls_what(api: Api, call: Caller, key: tuple[str, str, str]) -> None:
    _, key_id, value = key
    answer = call(
        "/fn/a%20b/c?x=1&x=2&empty=",
        value,
        headers={"X-Custom": "yes", "user-agent": "tests/1", "cookie": "a=b"},
    )
    event = answer.json()
    assert answer.status_code == 200
    assert event["resource"] == "/fn/{proxy+}"
    assert event["path"] == "/fn/a b/c"
    assert event["httpMethod"] == "GET"
    assert event["pathParameters"] == {"proxy": "a b/c"}
    assert event["queryStringParameters"] == {"x": "2", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "empty": [""]}
    assert event["headers"]["x-custom"] == "yes"
    assert event["multiValueHeaders"]["x-custom"] == ["yes"]
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    context = event["requestContext"]
    identity = context["identity"]
    assert (identity["apiKeyId"], identity["apiKey"]) == (key_id, value)
    assert (identity["sourceIp"], identity["userAgent"]) == ("127.0.0.1", "tests/1")
    assert (context["apiId"], context["stage"]) == (api.id, STAGE)
    assert context["resourcePath"] == "/fn/{proxy+}"
    assert context["path"] == f"/{STAGE}/fn/a b/c"
    assert context["requestId"] == answer.headers["x-amzn-RequestId"]
    assert context["accountId"] == "000000000000"


def test_without_a_key_there_is_nobody(call: Caller, function: str) -> None:
    event = call("/open-fn", "someone-sends-it-anyway").json()
    assert event["requestContext"]["identity"]["apiKeyId"] is None
    assert event["requestContext"]["identity"]["apiKey"] is None
    assert event["queryStringParameters"] is None
    assert event["pathParameters"] is None


def test_bytes_that_are_no_text_arrive_encoded(call: Caller, function: str) -> None:
    event = call("/open-fn", method="POST", content=b"\xff\xfe").json()
    assert (event["body"], event["isBase64Encoded"]) == ("//4=", True)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"statusCode": 201, "body": "made"}, (201, b"made", "application/json")),
        ({"statusCode": "204"}, (204, b"", "application/json")),
        (
            {"statusCode": 200, "body": "aGk=", "isBase64Encoded": True},
            (200, b"hi", "application/json"),
        ),
        (
            {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": "é"},
            (200, "é".encode(), "text/plain"),
        ),
    ],
)
def test_the_answer_is_the_response(
    call: Caller, function: str, answer: dict[str, Any], expected: tuple[int, bytes, str]
) -> None:
    response = call("/open-fn", method="POST", json={"answer": answer})
    content_type = response.headers["content-type"]
    assert (response.status_code, response.content, content_type) == expected


def test_headers_with_several_values_win(call: Caller, function: str) -> None:
    answer = {
        "statusCode": 200,
        "headers": {"Set-Cookie": "lost=1", "X-Number": 7, "X-Flag": True},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
    }
    response = call("/open-fn", method="POST", json={"answer": answer})
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (response.headers["x-number"], response.headers["x-flag"]) == ("7", "true")


@pytest.mark.parametrize(
    "answer",
    [
        "text",
        ["list"],
        {"body": "no status"},
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": "!", "isBase64Encoded": True},
        {"statusCode": 200, "headers": "none"},
    ],
)
def test_a_malformed_answer_is_a_bad_gateway(call: Caller, function: str, answer: Any) -> None:
    response = call("/open-fn", method="POST", json={"answer": answer})
    assert (response.status_code, response.text) == (502, '{"message":"Internal server error"}')


def test_failed_backends_count(gateway: Any, call: Caller, key: tuple[str, str, str]) -> None:
    plan_id, key_id, value = key
    failed = call("/fn/x", value, method="POST", json={"raise": "no"})
    late = call("/hasty", value, method="POST", json={"sleep": 2, "answer": None})
    gone = call("/gone", value)
    assert (failed.status_code, failed.json()) == (502, {"message": "Internal server error"})
    assert (late.status_code, late.json()) == (504, {"message": "Endpoint request timed out"})
    assert (gone.status_code, gone.json()) == (500, {"message": "Internal server error"})
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[3, 97]]


def test_what_the_local_aws_cannot_do_is_no_success(gateway: Any, api: Api, call: Caller) -> None:
    at = api.method("/guarded", "GET", keyed=False)
    gateway.put_integration(**at, type="MOCK")
    gateway.update_method(
        **at,
        patchOperations=[{"op": "replace", "path": "/authorizationType", "value": "AWS_IAM"}],
    )
    at = api.method("/queue", "POST", keyed=False)
    uri = "arn:aws:apigateway:us-east-1:dynamodb:action/PutItem"
    gateway.put_integration(**at, type="AWS", integrationHttpMethod="POST", uri=uri)
    api.deploy()
    assert call("/guarded").status_code == 500
    assert call("/queue", method="POST", content=json.dumps({})).status_code == 500
