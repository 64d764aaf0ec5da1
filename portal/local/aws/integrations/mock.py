"""MOCK: an answer without a backend, which is also how CORS preflight is served.

The request template's `statusCode` picks the integration response by its selection pattern. Where
no template depends on the call, the answer is made once.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from portal.local.aws.integrations.base import Call, Integration
from portal.local.aws.integrations.templates import (
    JSON,
    RequestTemplates,
    Responses,
    fresh_context,
    media_type,
)
from portal.local.aws.wire import Response

_STATUS_CODE = re.compile(r'"?statusCode"?\s*:\s*"?(\d{3})')


def mock(definition: Mapping[str, Any], region: str) -> Integration | None:
    """Returns None for other kinds."""
    if definition.get("type") != "MOCK":
        return None
    templates, responses = RequestTemplates(definition), Responses(definition)

    async def answer(call: Call) -> Response:
        context = fresh_context(call)
        body = templates.body(call, context)
        status = _status(body)
        return responses.answer(call, context, by=status, answer=Response(200))

    if not _is_constant(definition):
        return answer
    known: list[Response] = []

    async def repeat(call: Call) -> Response:
        if media_type(call.request.header(b"content-type")) != JSON:
            return await answer(call)
        if not known:
            known.append(await answer(call))
        first = known[0]
        return Response(first.status, first.body, list(first.headers))

    return repeat


def _status(body: bytes) -> str:
    """What the request template says; it may be no more than nearly JSON."""
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        match = _STATUS_CODE.search(text)
        return match[1] if match else "200"
    return str(document.get("statusCode", 200)) if isinstance(document, dict) else "200"


def _is_constant(definition: Mapping[str, Any]) -> bool:
    """Whether every call with JSON, or without a body, gets the same answer: no template refers to
    anything, and none is chosen by the caller's headers."""
    requests = definition.get("requestTemplates") or {}
    if set(requests) - {JSON}:
        return False
    texts = list(requests.values())
    for response in (definition.get("integrationResponses") or {}).values():
        templates = response.get("responseTemplates") or {}
        if set(templates) - {JSON}:
            return False
        texts += templates.values()
        sources = (response.get("responseParameters") or {}).values()
        if any(not source.startswith("'") for source in sources):
            return False
    return not any("$" in (text or "") or "#" in (text or "") for text in texts)
