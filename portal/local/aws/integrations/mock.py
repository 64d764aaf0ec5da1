"""MOCK: an answer without a backend, which is also how CORS preflight is served.

The request template's `statusCode` picks the integration response by its selection pattern; the
answer is the same for every call, so it is made once.
"""

import re
from collections.abc import Mapping
from typing import Any

from portal.local.aws.integrations.base import Call, Integration, internal_error
from portal.local.aws.wire import Headers, Response

_STATUS_CODE = re.compile(r'"?statusCode"?\s*:\s*"?(\d{3})')
_HEADER = "method.response.header."


def mock(definition: Mapping[str, Any], region: str) -> Integration | None:
    if definition.get("type") != "MOCK":
        return None
    template = (definition.get("requestTemplates") or {}).get("application/json") or ""
    match = _STATUS_CODE.search(template)
    chosen = _choose(match[1] if match else "200", definition.get("integrationResponses") or {})
    response = _response(chosen) if chosen else internal_error()

    async def answer(call: Call) -> Response:
        return Response(response.status, response.body, list(response.headers))

    return answer


def _choose(status_code: str, responses: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The response whose pattern matches, or else the one that has no pattern: the default."""
    default = None
    for response in responses.values():
        pattern = response.get("selectionPattern")
        if not pattern:
            default = default or response
        elif re.fullmatch(pattern, status_code):
            return dict(response)
    return default


def _response(chosen: Mapping[str, Any]) -> Response:
    headers: Headers = [(b"content-type", b"application/json")]
    for target, source in (chosen.get("responseParameters") or {}).items():
        if target.startswith(_HEADER) and source.startswith("'"):
            name = target.removeprefix(_HEADER)
            headers.append((name.encode("latin-1"), source.strip("'").encode("latin-1")))
    body = (chosen.get("responseTemplates") or {}).get("application/json") or ""
    return Response(int(chosen.get("statusCode") or 200), body.encode(), headers)
