"""Parameter mappings: from where a header, a query parameter or a path parameter takes its value.

https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
Both directions are pairs of a target and a source, `'static'` or an expression. A source without a
value leaves its target alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from portal.local.aws import json_path
from portal.local.aws.context import context_of, lookup
from portal.local.aws.wire import Response

if TYPE_CHECKING:  # integrations need this module in their turn
    from portal.local.aws.integrations.base import Call


def request_values(call: Call, mappings: Mapping[str, str]) -> dict[str, dict[str, list[str]]]:
    """What the integration's request is given: values by name, of each place."""
    found: dict[str, dict[str, list[str]]] = {"header": {}, "querystring": {}, "path": {}}
    for target, source in mappings.items():
        place, _, name = target.removeprefix("integration.request.").partition(".")
        values = _of_request(call, source)
        if values and place in found:
            found[place][name] = values
    return found


def response_headers(
    call: Call, mappings: Mapping[str, str], answer: Response
) -> dict[str, list[str]]:
    """What the method's answer is given: header name -> values."""
    found = {}
    for target, source in mappings.items():
        name = target.removeprefix("method.response.header.")
        values = _of_answer(call, source, answer)
        if values:
            found[name] = values
    return found


def parameters_of(call: Call) -> dict[str, dict[str, str]]:
    """A call's parameters by place, the last value of each, as templates read them."""
    headers = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in call.request.headers
    }
    query = {name: values[-1] for name, values in call.request.query.items()}
    return {"path": dict(call.path_parameters), "querystring": query, "header": headers}


def _of_request(call: Call, source: str) -> list[str]:
    if (common := _common(call, source)) is not None:
        return common
    rest = source.removeprefix("method.request.")
    if rest.startswith("body"):
        return _body(call.request.body, rest.removeprefix("body"))
    place, _, name = rest.partition(".")
    if place == "path":
        values = [call.path_parameters[name]] if name in call.path_parameters else []
    elif place.endswith("querystring"):
        values = call.request.query.get(name, [])
    else:
        values = _headers(call.request.headers, name)
    return values if place.startswith("multivalue") else values[-1:]


def _of_answer(call: Call, source: str, answer: Response) -> list[str]:
    if (common := _common(call, source)) is not None:
        return common
    rest = source.removeprefix("integration.response.")
    if rest.startswith(("header.", "multivalueheader.")):
        values = _headers(answer.headers, rest.partition(".")[2])
        return values if rest.startswith("multi") else values[-1:]
    if rest.startswith("body"):
        return _body(answer.body, rest.removeprefix("body"))
    return []


def _common(call: Call, source: str) -> list[str] | None:
    """The sources that both directions know; None where it is another one."""
    if source.startswith("'") and source.endswith("'"):
        return [source[1:-1]]
    if source.startswith("context."):
        value = lookup(context_of(call), source.removeprefix("context."))
        return [] if value is None else [value]
    if source.startswith("stageVariables."):
        value = call.stage_variables.get(source.removeprefix("stageVariables."))
        return [] if value is None else [value]
    return None


def _headers(headers: list[tuple[bytes, bytes]], name: str) -> list[str]:
    wanted = name.lower().encode("latin-1")
    return [value.decode("latin-1") for key, value in headers if key.lower() == wanted]


def _body(body: bytes, path: str) -> list[str]:
    text = body.decode("utf-8", "replace")
    if not path:
        return [text]
    try:
        found: Any = json_path.find(json.loads(text), "$" + path)
    except ValueError:  # no JSON, or no path
        return []
    if found is None:
        return []
    return [found if isinstance(found, str) else json.dumps(found)]
