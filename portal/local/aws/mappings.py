"""Parameter mappings: from where a header, a query parameter or a path parameter takes its value.

https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
Both directions are pairs of a target and a source, `'static'` or an expression. A source without a
value leaves its target alone. Header names are compared in lower case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from portal.local.aws import json_path
from portal.local.aws.context import context_of, lookup
from portal.local.aws.vtl_values import text_of
from portal.local.aws.wire import Headers, Response

if TYPE_CHECKING:  # integrations need this module in their turn
    from portal.local.aws.integrations.base import Call

Values = dict[str, list[str]]

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([\w.-]+)\}")


def request_values(
    call: Call, mappings: Mapping[str, str], overrides: Mapping[str, Mapping[str, Any]]
) -> dict[str, Values]:
    """What the integration's request is given: values by name, of each place.

    `overrides` is what a template assigned to `$context.requestOverride`; it wins over mappings.
    """
    found: dict[str, Values] = {"header": {}, "querystring": {}, "path": {}}
    for target, source in mappings.items():
        place, _, name = target.removeprefix("integration.request.").partition(".")
        values = values_of(call, source)
        if values and place in found:
            found[place][name.lower() if place == "header" else name] = values
    for place, given in found.items():
        for name, value in (overrides.get(place) or {}).items():
            given[name.lower() if place == "header" else name] = [text_of(value)]
    return found


def response_headers(call: Call, mappings: Mapping[str, str], answer: Response) -> Values:
    """What the method's answer is given: values by header name."""
    found = {}
    for target, source in mappings.items():
        name = target.removeprefix("method.response.header.").lower()
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


def header_pairs(headers: Mapping[str, list[str]]) -> Headers:
    return [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, values in headers.items()
        for value in values
    ]


def with_stage_variables(uri: str, call: Call) -> str:
    """A URI with `${stageVariables.name}` filled in; one that is not set is empty."""
    if "${" not in uri:
        return uri
    return _STAGE_VARIABLE.sub(lambda found: call.stage_variables.get(found[1], ""), uri)


def values_of(call: Call, source: str) -> list[str]:
    """What a source that a request is read by gives; nothing where it has no value."""
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
    if rest.startswith("body"):
        return _body(answer.body, rest.removeprefix("body"))
    place, _, name = rest.partition(".")
    values = _headers(answer.headers, name)
    return values if place == "multivalueheader" else values[-1:]


def _common(call: Call, source: str) -> list[str] | None:
    """The sources that both directions know; None where it is another one."""
    if source.startswith("'") and source.endswith("'"):
        return [source[1:-1]]
    if source.startswith("context."):
        value = lookup(context_of(call), source.removeprefix("context."))
    elif source.startswith("stageVariables."):
        value = call.stage_variables.get(source.removeprefix("stageVariables."))
    else:
        return None
    return [] if value is None else [value]


def _headers(headers: Headers, name: str) -> list[str]:
    wanted = name.lower().encode("latin-1")
    return [value.decode("latin-1") for key, value in headers if key.lower() == wanted]


def _body(body: bytes, path: str) -> list[str]:
    text = body.decode("utf-8", "replace")
    if not path:
        return [text]
    try:
        found = json_path.find(json.loads(text), "$" + path)
    except ValueError:  # no JSON, or no path
        return []
    if found is None:
        return []
    return [found if isinstance(found, str) else json.dumps(found)]
