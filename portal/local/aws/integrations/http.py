"""HTTP and HTTP_PROXY: a real call of an upstream, over the network.

A proxy passes the caller's method, query, headers and body on, and the upstream's answer back.
Mappings win over the caller's headers, and add to the caller's query. Without "proxy" only what
mappings and templates say is sent, and integration responses make the answer.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
Redirects are the caller's to follow. `x-api-key` goes upstream, as the real service sends it.
Path parameters are decoded and encoded anew, so an encoded slash reaches the upstream as a slash.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from portal.local.aws.gateway_responses import (
    INTEGRATION_FAILURE,
    INTEGRATION_TIMEOUT,
    INTERNAL_ERROR,
    Refused,
)
from portal.local.aws.integrations.base import Call, Integration, seconds_allowed
from portal.local.aws.integrations.templates import (
    JSON,
    RequestTemplates,
    Responses,
    fresh_context,
)
from portal.local.aws.mappings import header_pairs, request_values, with_stage_variables
from portal.local.aws.wire import Headers, Response

logger = logging.getLogger(__name__)

# Of one connection, not of the message (RFC 9110, 7.6.1); httpx makes its own.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-connection te trailer transfer-encoding"
    b" upgrade".split()
)
_NOT_SENT = _HOP_BY_HOP | set(b"host content-length accept-encoding expect via".split())
# The body comes decoded; its length and our date are added when it is sent.
_NOT_KEPT = _HOP_BY_HOP | {b"content-length", b"content-encoding", b"via"}
# Headers of an upstream's answer that API Gateway renames ("Important notes", REST APIs).
_REMAPPED = frozenset(b"date server www-authenticate x-amzn-requestid".split())

_clients: dict[int, httpx.AsyncClient] = {}


def http(definition: Mapping[str, Any], region: str) -> Integration | None:
    """Returns None for other kinds, and where a VPC link would lead."""
    if definition.get("type") not in ("HTTP", "HTTP_PROXY"):
        return None
    if definition.get("connectionType") == "VPC_LINK":
        return None
    is_proxy = definition["type"] == "HTTP_PROXY"
    uri: str = definition.get("uri") or ""
    mappings = definition.get("requestParameters") or {}
    method: str = definition.get("httpMethod") or "ANY"
    timeout = seconds_allowed(definition)
    templates, responses = RequestTemplates(definition), Responses(definition)

    async def invoke(call: Call) -> Response:
        context = fresh_context(call)
        body = call.request.body if is_proxy else templates.body(call, context)
        values = request_values(call, mappings, context.get("requestOverride") or {})
        query = [*(_pairs(call.request.query) if is_proxy else ()), *_pairs(values["querystring"])]
        own = call.request.headers if is_proxy else _defaults(call)
        try:
            async with asyncio.timeout(timeout):
                answer = await _client().request(
                    call.request.method if method == "ANY" else method,
                    _address(uri, call, values["path"], query),
                    headers=_sent(call, own, values["header"]),
                    content=body,
                )
        except TimeoutError:
            raise Refused(INTEGRATION_TIMEOUT) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            logger.error("%s: %s: %s", call.resource_path, uri, error)
            raise Refused(INTERNAL_ERROR) from error
        except httpx.TransportError as error:
            logger.error("%s: %s: %s", call.resource_path, uri, error)
            raise Refused(INTEGRATION_FAILURE) from error
        status = answer.status_code
        if is_proxy:
            return Response(status, answer.content, _kept(answer))
        found = Response(status, answer.content, answer.headers.raw)
        return responses.answer(call, context, by=str(status), answer=found)

    return invoke


def _client() -> httpx.AsyncClient:
    """The pool of this event loop: connections cannot be shared between loops."""
    loop = id(asyncio.get_running_loop())
    client = _clients.get(loop)
    if client is None:
        _clients.clear()
        client = _clients[loop] = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(None),  # the integration's own covers all of a call
            limits=httpx.Limits(max_connections=None),
        )
    return client


def _pairs(query: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in query.items() for value in values]


def _address(
    uri: str, call: Call, path: Mapping[str, list[str]], query: list[tuple[str, str]]
) -> str:
    uri = with_stage_variables(uri, call)
    for name, values in path.items():
        uri = uri.replace(f"{{{name}}}", _quoted(values[-1]))
    if not query:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(query)}"


def _quoted(value: str) -> str:
    """A path parameter for a URI. It must not climb out of its place, so `..` is encoded too."""
    dots = {".": "%2E", "..": "%2E%2E"}
    return "/".join(dots.get(part) or quote(part, safe="~") for part in value.split("/"))


def _defaults(call: Call) -> Headers:
    """The headers of a request that is no proxy's, where mappings do not say else."""
    kind = call.request.header(b"content-type") or JSON
    agent = f"AmazonAPIGateway_{call.api_id}"
    return header_pairs({"accept": [JSON], "content-type": [kind], "user-agent": [agent]})


def _sent(call: Call, own: Headers, mapped: Mapping[str, list[str]]) -> Headers:
    """Headers for the upstream. What says who called cannot be forged by a caller."""
    caller = ", ".join(
        filter(None, (call.request.header(b"x-forwarded-for"), call.request.client_ip))
    )
    given = {"x-forwarded-for": [caller], "x-amzn-apigateway-api-id": [call.api_id], **mapped}
    replaced = _NOT_SENT | {name.encode("latin-1") for name in given}
    return [pair for pair in own if pair[0] not in replaced] + header_pairs(given)


def _kept(answer: httpx.Response) -> Headers:
    """An upstream's headers as API Gateway passes them on."""
    lower = [(name.lower(), value) for name, value in answer.headers.raw]
    return [
        (b"x-amzn-remapped-" + name if name in _REMAPPED else name, value)
        for name, value in lower
        if name not in _NOT_KEPT
    ]
