"""What templates make of requests and answers, and what becomes of those without one."""

import base64
from typing import Any

import pytest

from tests.local.aws.apis import Api, Caller, make_function, unique
from tests.local.aws.program import Program

JSON = "application/json"

FUNCTION = """
def handler(event, context):
    print("called")
    return {"event": event}
"""


@pytest.fixture(scope="module")
def echo(aws: Program) -> str:
    """A function that is no proxy, as what a method calls; it answers with what it was sent."""
    arn = make_function(aws.client("lambda"), FUNCTION)
    return f"lambda:path/2015-03-31/functions/{arn}/invocations"


def template(text: str) -> dict[str, str]:
    return {JSON: text}


@pytest.mark.parametrize(
    ("behaviour", "templates", "kind", "expected"),
    [
        ("WHEN_NO_MATCH", {JSON: '{"made": 1}'}, JSON, {"made": 1}),
        ("WHEN_NO_MATCH", {JSON: '{"made": 1}'}, "application/json; charset=utf-8", {"made": 1}),
        ("WHEN_NO_MATCH", {JSON: '{"made": 1}'}, None, {"made": 1}),
        ("WHEN_NO_MATCH", {JSON: '{"made": 1}'}, "text/x", {"sent": 1}),
        ("WHEN_NO_TEMPLATES", {JSON: '{"made": 1}'}, "text/x", None),
        ("WHEN_NO_TEMPLATES", {}, "text/x", {"sent": 1}),
        ("NEVER", {JSON: '{"made": 1}'}, JSON, {"made": 1}),
        ("NEVER", {JSON: '{"made": 1}'}, "text/x", None),
        ("NEVER", {}, JSON, None),
    ],
)
def test_what_passes_through_without_a_template(
    api: Api,
    call: Caller,
    echo: str,
    *,
    behaviour: str,
    templates: dict[str, str],
    kind: str | None,
    expected: Any,
) -> None:
    path = f"/{unique('passing')}"
    api.service(path, echo, requestTemplates=templates, passthroughBehavior=behaviour)
    api.deploy()
    headers = {"content-type": kind} if kind else {}
    answer = call(path, method="POST", content=b'{"sent": 1}', headers=headers)
    if expected is None:
        refused = (415, {"message": "Unsupported Media Type"})
        assert (answer.status_code, answer.json()) == refused
    else:
        assert answer.json() == {"event": expected}


def test_base64_becomes_bytes_where_that_is_asked(api: Api, call: Caller, echo: str) -> None:
    answers = {"200": {"responseTemplates": template("$input.json('$.event')")}}
    api.service("/binary", echo, answers, contentHandling="CONVERT_TO_BINARY")
    api.deploy()
    encoded = base64.b64encode(b'{"a": "b"}')
    assert call("/binary", method="POST", content=encoded).json() == {"a": "b"}
    refused = call("/binary", method="POST", content=b"{}")
    assert (refused.status_code, refused.json()) == (500, {"message": "Internal server error"})


def test_the_answers_template_is_chosen_by_what_is_accepted(
    api: Api, call: Caller, echo: str
) -> None:
    answers = {"200": {"responseTemplates": {"text/xml": "<x/>", JSON: "{}"}}}
    api.service("/accepted", echo, answers)
    api.deploy()
    for accept, kind, body in (
        ("text/xml", "text/xml", "<x/>"),
        ("text/html, text/xml;q=0.5", "text/xml", "<x/>"),
        ("text/html", JSON, "{}"),
        ("*/*", JSON, "{}"),
    ):
        answer = call("/accepted", method="POST", json={}, headers={"accept": accept})
        assert (answer.headers["content-type"], answer.text) == (kind, body)


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        ("nosuch:action/Do", {}),
        ("s3:action/GetObject", {}),
        ("sqs:action/SendMessage", {"requestTemplates": template("#set($x = )")}),
    ],
)
def test_what_cannot_be_called_is_a_mistake_of_the_api(
    api: Api, call: Caller, target: str, settings: dict[str, Any]
) -> None:
    path = f"/{unique('mistaken')}"
    api.service(path, target, **settings)
    api.deploy()
    answer = call(path, method="POST", json={})
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})


def test_a_template_that_fails_is_an_error_of_the_gateway(
    api: Api, call: Caller, echo: str
) -> None:
    failing = template("$util.parseJson('no json')")
    api.service("/failing", echo, requestTemplates=failing)
    api.service("/failing/answer", echo, {"200": {"responseTemplates": failing}})
    api.deploy()
    for path in ("/failing", "/failing/answer"):
        answer = call(path, method="POST", json={})
        assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})


def test_a_mocked_answer_that_is_known_refuses_other_media_types(api: Api, call: Caller) -> None:
    at = api.method("/mocked", "POST", keyed=False)
    api.gateway.put_integration(
        **at,
        type="MOCK",
        requestTemplates=template('{"statusCode": 200}'),
        passthroughBehavior="NEVER",
    )
    api.gateway.put_method_response(**at, statusCode="200")
    api.gateway.put_integration_response(**at, statusCode="200")
    api.deploy()
    kinds: list[dict[str, str]] = [{}, {"content-type": "text/x"}, {}]
    answers = [call("/mocked", method="POST", headers=headers) for headers in kinds]
    assert [answer.status_code for answer in answers] == [200, 415, 200]
