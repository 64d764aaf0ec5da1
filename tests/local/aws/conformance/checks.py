"""What every answer of API Gateway must show, and short words for what scenarios assert."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from portal.local.aws.operations import model
from tests.local.aws.apis import unique

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "timestamp": (int, float),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}
# What ministack adds to a deployment's summary; SDKs pass over it.
ADDED = frozenset(("authorizationScopes",))


class Watched:
    """A client of API Gateway; `called` are the operations that it was answered well."""

    def __init__(self, gateway: Any) -> None:
        self.gateway = gateway
        self.called: set[str] = set()
        gateway.meta.events.register("after-call.api-gateway", self._check)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self.gateway, name)
        return call

    def _check(self, http_response: Any, model: Any, **_: Any) -> None:
        if http_response.status_code >= 300:
            return
        assert http_response.status_code == (model.http.get("responseCode") or 200), model.name
        if model.output_shape is None:
            assert http_response.content == b"", model.name
        else:
            hold(json.loads(http_response.content), model.output_shape, model.name)
        self.called.add(model.name)


def hold(value: Any, shape: Any, where: str) -> None:
    """Assert that a value on the wire is what a shape says."""
    if value is None:
        return
    assert type(value) in KINDS[shape.type_name], f"{where}: {value!r}"
    if shape.type_name == "structure":
        members = {
            member.serialization.get("name", name): member for name, member in shape.members.items()
        }
        unknown = set(value) - set(members)
        assert unknown <= ADDED, f"{where}: {unknown}"
        for name in set(value) & set(members):
            hold(value[name], members[name], f"{where}.{name}")
    elif shape.type_name == "map":
        for name, part in value.items():
            hold(part, shape.value, f"{where}.{name}")
    elif shape.type_name == "list":
        for part in value:
            hold(part, shape.member, f"{where}[]")


def refused(code: str, call: Callable[..., Any], **settings: Any) -> str:
    """Assert that a call is refused by this code; returns the message."""
    with pytest.raises(ClientError) as raised:
        call(**settings)
    assert raised.value.response["Error"]["Code"] == code, raised.value
    return str(raised.value.response["Error"]["Message"])


def patches(*triples: tuple[str, str, str | None]) -> list[dict[str, str]]:
    return [
        {"op": op, "path": path, **({} if value is None else {"value": value})}
        for op, path, value in triples
    ]


def shown(document: dict[str, Any], **expected: Any) -> None:
    """Assert that a document shows these values, among others."""
    assert {name: document.get(name) for name in expected} == expected


def new_api(client: Watched) -> dict[str, str]:
    return {"restApiId": client.create_rest_api(name=unique("conforming"))["id"]}


def _any_value(shape: Any) -> Any:
    """A value that botocore lets pass: what an unsupported operation is called with."""
    match shape.type_name:
        case "structure":
            return {name: _any_value(shape.members[name]) for name in shape.required_members}
        case "list":
            return [_any_value(shape.member)]
        case "map":
            return {}
        case "blob":
            return b"{}"
        case "string":
            return shape.enum[0] if shape.enum else "anything"
    raise AssertionError(f"no value for {shape.type_name}")


def any_input(name: str) -> dict[str, Any]:
    """What an unsupported operation is called with: the least that botocore lets pass."""
    found: dict[str, Any] = _any_value(model().operation_model(name).input_shape)
    return found
