"""Which requests are refused before their backend, and what is said about them."""

import json
from typing import Any

import httpx
import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_api
from tests.local.aws.program import TODAY
from tests.local.aws.usage import pairs

WHY = '{"message": $context.error.messageString, "why": "$context.error.validationErrorString"}'
UPLOAD = {
    "type": "object",
    "required": ["filename", "bytes"],
    "additionalProperties": False,
    "properties": {
        "filename": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^[a-z.]+$"},
        "bytes": {"type": "integer", "minimum": 1, "maximum": 100},
        "kind": {"enum": ["jpeg", "png"]},
        "presets": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": "^[a-z]+$"},
        },
    },
}
GOOD = {"filename": "a.jpg", "bytes": 1}


@pytest.fixture(scope="module")
def api(gateway: Any) -> Api:
    """`/uploads` wants a body and parameters, `/any` a body; `/loose` has no validator."""
    api = make_api(gateway)
    address = f"https://apigateway.amazonaws.com/restapis/{api.id}/models/Upload"
    many = {"type": "array", "items": {"$ref": address}}
    for name, schema in (("Upload", UPLOAD), ("Uploads", many)):
        gateway.create_model(
            restApiId=api.id, name=name, contentType="application/json", schema=json.dumps(schema)
        )
    validator = gateway.create_request_validator(
        restApiId=api.id, name="all", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    models = {"application/json": "Upload", "application/list+json": "Uploads"}
    api.mock(
        "/uploads/{size}",
        "POST",
        requestValidatorId=validator,
        requestModels=models,
        requestParameters={
            "method.request.path.size": True,
            "method.request.header.X-Needed": True,
            "method.request.querystring.page": True,
            "method.request.querystring.sort": False,
        },
    )
    api.mock(
        "/any", "POST", keyed=False, requestValidatorId=validator,
        requestModels={"$default": "Upload"},
    )  # fmt: skip
    api.mock("/loose", "POST", keyed=False, requestModels=models)
    for kind in ("BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS"):
        gateway.put_gateway_response(
            restApiId=api.id, responseType=kind, responseTemplates={"application/json": WHY}
        )
    api.deploy()
    return api


@pytest.fixture(scope="module")
def key(api: Api) -> tuple[str, str, str]:
    """Plan, key id, key value."""
    plan_id = api.plan(quota={"limit": 1000, "period": "MONTH"})
    return (plan_id, *api.key(plan_id))


@pytest.fixture(scope="module")
def call(http: httpx.Client, api: Api) -> Caller:
    return Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")


@pytest.fixture
def post(call: Caller, key: tuple[str, str, str]) -> Any:
    def post(content: Any, path: str = "/uploads/1?page=2", **headers: str) -> httpx.Response:
        sent = {"x-needed": "yes", "content-type": "application/json", **headers}
        body = content if isinstance(content, bytes) else json.dumps(content)
        return call(path, key[2], method="POST", content=body, headers=sent)

    return post


def test_what_is_like_its_model_passes(post: Any) -> None:
    assert post(GOOD).status_code == 200
    assert post({**GOOD, "kind": "png", "presets": ["a", "b"]}).status_code == 200


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, '[object has missing required properties (["bytes","filename"])]'),
        (
            {**GOOD, "surprise": 1},
            '[object instance has properties which are not allowed by the schema: ["surprise"]]',
        ),
        (
            {**GOOD, "bytes": "1"},
            "[/bytes: instance type (string) does not match any allowed primitive type"
            ' (allowed: ["integer"])]',
        ),
        (
            {**GOOD, "presets": ["a", "B/2"]},
            '[/presets/1: ECMA 262 regex "^[a-z]+$" does not match input string "B/2"]',
        ),
        (
            {**GOOD, "kind": "gif"},
            '[/kind: instance value ("gif") not found in enum (possible values: ["jpeg","png"])]',
        ),
        (
            {**GOOD, "presets": []},
            "[/presets: array is too short (length: 0, required minimum: 1)]",
        ),
        (
            {**GOOD, "filename": "abcdefghij"},
            "[/filename: string is too long (length: 10, maximum allowed: 9)]",
        ),
        (
            {**GOOD, "bytes": 0},
            "[/bytes: numeric instance is lower than the required minimum (minimum: 1, found: 0)]",
        ),
        (
            {**GOOD, "bytes": 101},
            "[/bytes: numeric instance is greater than the required maximum"
            " (maximum: 100, found: 101)]",
        ),
        ({**GOOD, "presets": ["a", "a"]}, "[/presets: array must not contain duplicate elements]"),
        (
            [],
            "[instance type (array) does not match any allowed primitive type"
            ' (allowed: ["object"])]',
        ),
        (b"{", "[the request body is no JSON]"),
        (b"[" * 100_000, "[the request body is no JSON]"),
        (b"", "[there is no request body]"),
    ],
)
def test_a_body_unlike_its_model_is_refused_and_told_why(post: Any, body: Any, why: str) -> None:
    answer = post(body)
    assert answer.status_code == 400
    assert answer.json() == {"message": "Invalid request body", "why": why}
    assert answer.headers["x-amzn-ErrorType"] == "BadRequestException"


def test_several_faults_are_told_at_once(post: Any) -> None:
    why = post({"filename": 1}).json()["why"]
    assert 'missing required properties (["bytes"])' in why
    assert ", /filename: instance type (integer)" in why


def test_the_content_type_chooses_the_model(post: Any) -> None:
    many = {"content-type": "application/list+json; charset=utf-8"}
    assert post([GOOD, GOOD], **many).status_code == 200
    answer = post([GOOD, {"bytes": 1}], **many)
    assert answer.json()["why"] == '[/1: object has missing required properties (["filename"])]'
    assert post(b"<upload/>", **{"content-type": "text/xml"}).status_code == 200


def test_every_other_content_type_has_the_default_model(call: Caller) -> None:
    for content_type in ("application/json", "text/xml"):
        headers = {"content-type": content_type}
        bad = call("/any", method="POST", content=b"<upload/>", headers=headers)
        assert bad.json()["why"] == "[the request body is no JSON]"
        # The mock, which has a template for JSON only, passes other bodies on.
        good = call("/any", method="POST", content=json.dumps(GOOD).encode(), headers=headers)
        assert good.status_code == 200


def test_without_a_content_type_it_is_json(call: Caller, key: tuple[str, str, str]) -> None:
    headers = {"x-needed": "yes"}
    answer = call("/uploads/1?page=2", key[2], method="POST", content=b"", headers=headers)
    assert answer.status_code == 400


def test_parameters_must_be_there_and_not_blank(post: Any) -> None:
    assert post({}, **{"x-needed": ""}).json() == {
        "message": "Missing required request parameters: [X-Needed]",
        "why": "Missing required request parameters: [X-Needed]",
    }
    answer = post(GOOD, "/uploads/1?page=%20&sort=", **{"x-needed": ""})
    assert answer.status_code == 400
    assert answer.json()["message"] == "Missing required request parameters: [X-Needed, page]"
    assert post(GOOD, "/uploads/1?page=0").status_code == 200


def test_nothing_is_validated_without_a_validator(call: Caller) -> None:
    assert call("/loose", method="POST", json={}).status_code == 200


def test_who_is_refused_for_the_key_is_not_told_more(call: Caller) -> None:
    assert call("/uploads/1", method="POST", json={}).status_code == 403


def test_an_invalid_request_counts(gateway: Any, post: Any, key: tuple[str, str, str]) -> None:
    plan_id, key_id, _ = key
    before = pairs(gateway, plan_id, key_id, TODAY, TODAY)[0][0]
    post({})
    assert pairs(gateway, plan_id, key_id, TODAY, TODAY)[0][0] == before + 1


def test_models_and_validators_wait_for_a_deployment(gateway: Any, http: httpx.Client) -> None:
    api = make_api(gateway)
    call = Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")
    gateway.create_model(
        restApiId=api.id, name="M", contentType="application/json", schema='{"type": "object"}'
    )
    validator = gateway.create_request_validator(
        restApiId=api.id, name="body", validateRequestBody=True
    )["id"]
    models = {"application/json": "M"}

    def seen() -> list[int]:
        """Of an object, and of a list."""
        return [call("/m", method="POST", content=body).status_code for body in ("{}", "[]")]

    api.mock("/m", "POST", keyed=False, requestValidatorId=validator, requestModels=models)
    api.deploy()
    assert seen() == [200, 400]
    gateway.update_model(
        restApiId=api.id,
        modelName="M",
        patchOperations=[{"op": "replace", "path": "/schema", "value": '{"type": "array"}'}],
    )
    assert seen() == [200, 400]
    api.deploy()
    assert seen() == [400, 200]
    gateway.delete_request_validator(restApiId=api.id, requestValidatorId=validator)
    api.deploy()
    assert seen() == [200, 200]
