"""HTTP and HTTP_PROXY: a real call of an upstream, over the network.

A proxy passes the caller's method, query, headers and body on, and the upstream's answer back;
mappings add to the request, and win over what the caller sent. Without "proxy" only what mappings
and templates say is sent, and integration responses make the answer.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
Redirects are the caller's to follow. `x-api-key` goes upstream, as the real service sends it.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from portal.local.aws.gateway_responses import (
    INTEGRATION_FAILURE,
    INTEGRATION_TIMEOUT,
    INTERNAL_ERROR,
    UNSUPPORTED_MEDIA_TYPE,
    Refused,
)
from portal.local.aws.integrations.base import Call, Integration
from portal.local.aws.integrations.templates import (
    RequestTemplates,
    Responses,
    fresh_context,
)
from portal.local.aws.mappings import request_values
from portal.local.aws.vtl import TemplateFailed
from portal.local.aws.wire import Headers, Response

logger = logging.getLogger(__name__)

_DEFAULT_TIMEOUT_MS = 29_000
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.(\w+)\}")
# Of one connection, not of the message (RFC 9110, 7.6.1); httpx makes its own.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade".split()
)
_OURS = _HOP_BY_HOP | {b"host", b"content-length", b"accept-encoding", b"expect"}
# Headers of an upstream's answer that API Gateway renames ("Important notes", REST APIs).
_REMAPPED = frozenset(b"authorization date server www-authenticate".split())

_clients: dict[int, httpx.AsyncClient] = {}


def http(definition: Mapping[str, Any], region: str) -> Integration | None:
    """Returns None for other kinds."""
    if definition.get("type") not in ("HTTP", "HTTP_PROXY"):
        return None
    is_proxy = definition["type"] == "HTTP_PROXY"
    uri: str = definition.get("uri") or ""
    mappings = definition.get("requestParameters") or {}
    method: str = definition.get("httpMethod") or "GET"
    timeout = int(definition.get("timeoutInMillis") or _DEFAULT_TIMEOUT_MS) / 1000
    templates, responses = RequestTemplates(definition), Responses(definition)

    async def invoke(call: Call) -> Response:
        context = fresh_context(call)
        try:
            body = call.request.body if is_proxy else templates.body(call, context)
        except TemplateFailed as failure:
            logger.error("%s: request template: %s", call.resource_path, failure)
            raise Refused(INTERNAL_ERROR) from failure
        if body is None:
            raise Refused(UNSUPPORTED_MEDIA_TYPE)
        values = request_values(call, mappings)
        _override(values, context.get("requestOverride") or {})
        query = dict(call.request.query) if is_proxy else {}
        query |= values["querystring"]
        headers = _headers(call.request.headers if is_proxy else [], values["header"])
        if body and not is_proxy and all(name != b"content-type" for name, _ in headers):
            headers.append((b"content-type", b"application/json"))
        try:
            answer = await _client().request(
                call.request.method if method == "ANY" else method,
                _address(uri, call, values["path"]),
                params=[(name, value) for name, given in query.items() for value in given],
                headers=headers,
                content=body,
                timeout=timeout,
            )
        except httpx.TimeoutException:
            raise Refused(INTEGRATION_TIMEOUT) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            logger.error("%s: %s: %s", call.resource_path, uri, error)
            raise Refused(INTEGRATION_FAILURE) from error
        found = Response(answer.status_code, answer.content, _kept(answer))
        if is_proxy:
            return found
        return responses.answer(call, context, by=str(found.status), answer=found)

    return invoke


def _client() -> httpx.AsyncClient:
    """The pool of this event loop: connections cannot be shared between loops."""
    loop = id(asyncio.get_running_loop())
    client = _clients.get(loop)
    if client is None:
        _clients.clear()
        client = _clients[loop] = httpx.AsyncClient(follow_redirects=False, trust_env=False)
    return client


def _address(uri: str, call: Call, path: Mapping[str, list[str]]) -> str:
    uri = _STAGE_VARIABLE.sub(lambda found: call.stage_variables.get(found[1], ""), uri)
    for name, values in path.items():
        uri = uri.replace(f"{{{name}}}", quote(values[-1], safe="/~"))
    return uri


def _headers(own: Headers, mapped: Mapping[str, list[str]]) -> Headers:
    """The caller's headers, less those of the connection and those that a mapping gives."""
    replaced = {name.lower().encode("latin-1") for name in mapped}
    kept = [(name, value) for name, value in own if name not in _OURS and name not in replaced]
    added = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, values in mapped.items()
        for value in values
    ]
    return kept + added


def _override(values: dict[str, dict[str, list[str]]], overrides: Mapping[str, Any]) -> None:
    """What a template assigned to $context.requestOverride wins over mappings."""
    for place, given in values.items():
        for name, value in (overrides.get(place) or {}).items():
            given[name] = [str(value)]


def _kept(answer: httpx.Response) -> Headers:
    """An upstream's headers as API Gateway passes them on. The body is decoded already."""
    kept: Headers = []
    for name, value in answer.headers.raw:
        lower = name.lower()
        if lower in _HOP_BY_HOP or lower in (b"content-length", b"content-encoding"):
            continue
        kept.append((b"x-amzn-remapped-" + lower if lower in _REMAPPED else lower, value))
    return kept
