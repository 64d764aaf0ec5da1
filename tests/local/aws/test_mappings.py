"""Parameter mappings by themselves; what they do to real calls is in test_http_integrations."""

from typing import Any

import pytest

from portal.local.aws.integrations.base import Call
from portal.local.aws.mappings import request_values, response_headers, with_stage_variables
from portal.local.aws.wire import Request, Response

CALL = Call(
    request=Request(
        method="POST",
        path="/",
        raw_path="/",
        query_string=b"q=first&q=last&none=",
        headers=[(b"x-h", b"first"), (b"x-h", b"last"), (b"user-agent", b"test")],
        client_ip="192.0.2.1",
        body=b'{"text": "t", "number": 1.5, "list": [1, "a"], "null": null}',
    ),
    request_id="r-1",
    time=0,
    api_id="a-1",
    stage="live",
    stage_variables={"host": "h.example", "dotted.name": "d"},
    resource_id="x",
    resource_path="/{id}",
    path="/7",
    path_parameters={"id": "7"},
    api_key_id="k-1",
    api_key="secret",
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'static'", ["static"]),
        ("''", [""]),
        ("'it''s'", ["it''s"]),
        ("method.request.path.id", ["7"]),
        ("method.request.querystring.q", ["last"]),
        ("method.request.multivaluequerystring.q", ["first", "last"]),
        ("method.request.querystring.none", [""]),
        ("method.request.header.X-H", ["last"]),
        ("method.request.multivalueheader.x-h", ["first", "last"]),
        ("method.request.body.text", ["t"]),
        ("method.request.body.number", ["1.5"]),
        ("method.request.body.list", ['[1, "a"]']),
        ("method.request.body.list[1]", ["a"]),
        ("context.identity.apiKeyId", ["k-1"]),
        ("context.identity.sourceIp", ["192.0.2.1"]),
        ("context.requestId", ["r-1"]),
        ("stageVariables.host", ["h.example"]),
    ],
)
def test_where_a_value_comes_from(source: str, expected: list[str]) -> None:
    found = request_values(CALL, {"integration.request.querystring.name": source}, {})
    assert found == {"header": {}, "querystring": {"name": expected}, "path": {}}


@pytest.mark.parametrize(
    "source",
    [
        "method.request.path.other",
        "method.request.querystring.other",
        "method.request.header.other",
        "method.request.body.null",
        "method.request.body.no.such",
        "context.no.such",
        "context.identity",
        "context.identity.user",
        "stageVariables.other",
        "nonsense",
    ],
)
def test_what_has_no_value_leaves_its_target_alone(source: str) -> None:
    found = request_values(CALL, {"integration.request.header.Name": source}, {})
    assert found["header"] == {}


def test_the_whole_body_is_as_it_came() -> None:
    found = request_values(CALL, {"integration.request.header.All": "method.request.body"}, {})
    assert found["header"] == {"all": [CALL.request.body.decode()]}


def test_a_template_wins_over_a_mapping() -> None:
    mappings = {
        "integration.request.header.X-One": "'mapped'",
        "integration.request.header.X-Two": "'mapped'",
        "integration.request.path.id": "'mapped'",
    }
    overrides: dict[str, Any] = {
        "header": {"x-one": "template"},
        "path": {"id": 7},
        "querystring": {"flag": True},
        "unknown": {"a": "b"},
    }
    assert request_values(CALL, mappings, overrides) == {
        "header": {"x-one": ["template"], "x-two": ["mapped"]},
        "querystring": {"flag": ["true"]},
        "path": {"id": ["7"]},
    }


def test_an_answers_headers() -> None:
    answer = Response(
        200, b'{"id": 7}', [(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"X-A", b"a")]
    )
    mappings = {
        "method.response.header.Location": "integration.response.body.id",
        "method.response.header.X-A": "integration.response.header.x-a",
        "method.response.header.Last": "integration.response.header.Set-Cookie",
        "method.response.header.Set-Cookie": "integration.response.multivalueheader.Set-Cookie",
        "method.response.header.Stage": "context.stage",
        "method.response.header.None": "integration.response.header.None",
    }
    assert response_headers(CALL, mappings, answer) == {
        "location": ["7"],
        "x-a": ["a"],
        "last": ["b=2"],
        "set-cookie": ["a=1", "b=2"],
        "stage": ["live"],
    }


def test_an_answer_that_is_no_json_has_no_fields() -> None:
    answer = Response(200, b"no json")
    mappings = {"method.response.header.Id": "integration.response.body.id"}
    assert response_headers(CALL, mappings, answer) == {}


def test_stage_variables_in_an_address() -> None:
    address = "https://${stageVariables.host}/${stageVariables.dotted.name}/{id}${stageVariables.x}"
    assert with_stage_variables(address, CALL) == "https://h.example/d/{id}"
