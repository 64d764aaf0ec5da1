"""What callers see when the gateway itself refuses, as an API customises it."""

import json
import socket
from typing import Any

import httpx
import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_api, make_function
from tests.local.aws.program import Program

TEMPLATE = json.dumps(
    {
        "text": "$context.error.message",
        "code": "$context.error.responseType",
        "request": "$context.requestId",
        "key": "${context.identity.apiKeyId}",
        "agent": "$context.identity.userAgent",
        "site": "$stageVariables.site/docs/",
        "nothing": "$context.authorizer.claims",
        "no directive": "#set($x = 1)$input.body",
    }
)


@pytest.fixture
def api(gateway: Any) -> Api:
    api = make_api(gateway)
    api.mock("/ping")
    api.mock("/open", keyed=False)
    return api


@pytest.fixture
def call(http: httpx.Client, api: Api) -> Caller:
    return Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")


def customise(api: Api, kind: str, **settings: Any) -> None:
    template = settings.pop("template", TEMPLATE)
    api.gateway.put_gateway_response(
        restApiId=api.id,
        responseType=kind,
        responseTemplates={"application/json": template},
        **settings,
    )


def test_a_body_is_made_by_substitution_alone(api: Api, call: Caller) -> None:
    customise(api, "INVALID_API_KEY")
    api.deploy()
    api.set_stage(**{"variables/site": "https://portal.example.com"})
    answer = call("/ping", "nobodys", headers={"user-agent": 'a "quoted" \\ agent'})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/json")
    assert answer.headers["x-amzn-ErrorType"] == "ForbiddenException"
    assert answer.json() == {
        "text": "Forbidden",
        "code": "INVALID_API_KEY",
        "request": answer.headers["x-amzn-RequestId"],
        "key": "",
        "agent": 'a "quoted" \\ agent',
        "site": "https://portal.example.com/docs/",
        "nothing": "",
        "no directive": "#set($x = 1)$input.body",
    }


def test_headers_come_from_texts_context_and_request(api: Api, call: Caller) -> None:
    sources = {
        "Access-Control-Allow-Origin": "'*'",
        "X-Type": "context.error.responseType",
        "X-Site": "stageVariables.site",
        "X-Origin": "method.request.header.Origin",
        "X-Page": "method.request.querystring.page",
        "X-Nothing": "method.request.header.Nothing",
    }
    parameters = {f"gatewayresponse.header.{name}": source for name, source in sources.items()}
    customise(api, "INVALID_API_KEY", responseParameters=parameters)
    api.deploy()
    api.set_stage(**{"variables/site": "here"})
    answer = call("/ping?page=2", headers={"origin": "https://shop.example"})
    expected = {
        "Access-Control-Allow-Origin": "*",
        "X-Type": "INVALID_API_KEY",
        "X-Site": "here",
        "X-Origin": "https://shop.example",
        "X-Page": "2",
    }
    assert {name: answer.headers.get(name) for name in sources} == {**expected, "X-Nothing": None}


def test_a_content_type_can_be_its_own(api: Api, call: Caller) -> None:
    name = "gatewayresponse.header.Content-Type"
    customise(api, "INVALID_API_KEY", responseParameters={name: "'application/problem+json'"})
    api.deploy()
    assert call("/ping").headers.get_list("content-type") == ["application/problem+json"]


def test_a_type_has_its_own_status(api: Api, call: Caller) -> None:
    customise(api, "MISSING_AUTHENTICATION_TOKEN", statusCode="404", template='{"no":"route"}')
    api.deploy()
    answer = call("/nowhere")
    assert (answer.status_code, answer.json()) == (404, {"no": "route"})
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    assert call("/ping").status_code == 403


def test_types_without_a_response_follow_the_default(api: Api, call: Caller) -> None:
    own = '{"own": $context.error.messageString}'
    customise(api, "INVALID_API_KEY", template=own)
    customise(api, "DEFAULT_4XX", template='{"code": "$context.error.responseType"}')
    api.deploy()
    followed, kept = call("/nowhere"), call("/ping")
    assert (followed.status_code, followed.json()) == (
        403,
        {"code": "MISSING_AUTHENTICATION_TOKEN"},
    )
    assert (kept.status_code, kept.json()) == (403, {"own": "Forbidden"})


def test_a_status_of_the_default_is_everybodys(api: Api, call: Caller) -> None:
    customise(api, "DEFAULT_4XX", statusCode="418")
    api.deploy()
    assert {call("/nowhere").status_code, call("/ping").status_code} == {418}


def test_throttled_and_used_up_keys_are_told_apart(api: Api, call: Caller) -> None:
    for kind in ("THROTTLED", "QUOTA_EXCEEDED"):
        customise(api, kind)
    api.deploy()
    key_id, slow = api.key(api.plan(throttle={"rateLimit": 0.001, "burstLimit": 1}))
    _, used_up = api.key(api.plan(quota={"limit": 1, "period": "MONTH"}))
    assert [call("/ping", key).status_code for key in (slow, used_up)] == [200, 200]
    throttled, exceeded = call("/ping", slow), call("/ping", used_up)
    assert (throttled.status_code, exceeded.status_code) == (429, 429)
    assert throttled.json()["code"] == "THROTTLED"
    assert throttled.json()["key"] == key_id
    assert (exceeded.json()["code"], exceeded.json()["text"]) == (
        "QUOTA_EXCEEDED",
        "Limit Exceeded",
    )


FAILING = """
import time
def handler(event, context):
    print("called")
    if event["path"] == "/slow":
        time.sleep(2)
    raise ValueError("no")
"""


def test_what_backends_get_wrong_has_a_type(aws: Program, api: Api, call: Caller) -> None:
    function = make_function(aws.client("lambda"), FAILING)
    api.function("/failing", "GET", function, keyed=False)
    api.function("/slow", "GET", function, keyed=False, timeout_ms=50)
    api.function("/absent", "GET", function + "-absent", keyed=False)
    at = api.method("/unreachable", "GET", keyed=False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        api.gateway.put_integration(**at, type="HTTP_PROXY", integrationHttpMethod="GET", uri=uri)
        at = api.method("/strict", "POST", keyed=False)
        api.gateway.put_integration(
            **at,
            type="MOCK",
            requestTemplates={"application/json": '{"statusCode": 200}'},
            passthroughBehavior="NEVER",
        )
        customise(api, "DEFAULT_5XX", template='{"code": "$context.error.responseType"}')
        customise(api, "INTEGRATION_TIMEOUT", statusCode="503", template='{"late": true}')
        customise(api, "UNSUPPORTED_MEDIA_TYPE", template='{"media": false}')
        api.deploy()
        seen = {
            path: (answer.status_code, answer.json())
            for path in ("/failing", "/slow", "/absent", "/unreachable")
            if (answer := call(path))
        }
    assert seen == {
        "/failing": (502, {"code": "DEFAULT_5XX"}),
        "/slow": (503, {"late": True}),
        "/absent": (500, {"code": "API_CONFIGURATION_ERROR"}),
        "/unreachable": (504, {"code": "INTEGRATION_FAILURE"}),
    }
    xml = call("/strict", method="POST", content="<a/>", headers={"content-type": "text/xml"})
    assert (xml.status_code, xml.json()) == (415, {"media": False})


def test_it_takes_a_deployment(api: Api, call: Caller) -> None:
    api.deploy()
    customise(api, "INVALID_API_KEY", statusCode="401")
    assert call("/ping").status_code == 403
    api.deploy()
    assert call("/ping").status_code == 401
    api.gateway.delete_gateway_response(restApiId=api.id, responseType="INVALID_API_KEY")
    assert call("/ping").status_code == 401
    api.deploy()
    assert call("/ping").json() == {"message": "Forbidden"}


def test_a_stage_that_is_not_there_is_nobodys(api: Api, http: httpx.Client) -> None:
    customise(api, "DEFAULT_4XX", statusCode="418")
    api.deploy()
    answer = http.get(f"/_aws/execute-api/{api.id}/other/ping")
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})
