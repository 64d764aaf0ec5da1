"""Lambda proxy: the call as an event, the function's answer as the response.

Event and answer are described in
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html.
Unlike ministack's own data plane this fills in `requestContext.identity.apiKeyId`.
"""

import asyncio
import base64
import binascii
import json
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from portal.local.aws import upstream
from portal.local.aws.context import context_of
from portal.local.aws.gateway_responses import (
    API_CONFIGURATION_ERROR,
    BAD_GATEWAY,
    Refused,
)
from portal.local.aws.integrations.base import Call, Integration, seconds_allowed, within
from portal.local.aws.mappings import with_stage_variables
from portal.local.aws.wire import Headers, Response

logger = logging.getLogger(__name__)

_FUNCTION = re.compile(r"/functions/(.+)/invocations$")
_ACCOUNT = re.compile(r"arn:aws[a-z-]*:lambda:([^:]*):(\d{12}):")
_CONCURRENCY = 4


def lambda_proxy(definition: Mapping[str, Any], region: str) -> Integration | None:
    match = _FUNCTION.search(definition.get("uri") or "")
    if definition.get("type") != "AWS_PROXY" or match is None:
        return None
    function = match[1]
    owner = _ACCOUNT.match(function)
    account_id = owner[2] if owner else "000000000000"
    function_region = owner[1] if owner else region
    timeout = seconds_allowed(definition)
    # ministack starts a process for each concurrent call, which is a second of a core's time. AWS
    # has room for thousands of those; a laptop is faster with a few that stay warm.
    warm = asyncio.Semaphore(_CONCURRENCY)

    async def invoke(call: Call) -> Response:
        event = json.dumps(event_of(call, account_id)).encode()
        name = quote(with_stage_variables(function, call), safe="")
        path = f"/2015-03-31/functions/{name}/invocations"
        async with warm:
            invocation = upstream.call(
                "POST", path, service="lambda", region=function_region, body=event
            )
            answer = await within(timeout, invocation)
        if answer.status != 200:
            logger.error("%s: invocation answered %d", function, answer.status)
            raise Refused(API_CONFIGURATION_ERROR)
        if answer.header(b"x-amz-function-error"):
            logger.error("%s: function error %s", function, answer.body.decode("utf-8", "replace"))
            raise Refused(BAD_GATEWAY)
        response = response_of(answer.body)
        if response is None:
            logger.error("%s: malformed proxy answer", function)
            raise Refused(BAD_GATEWAY)
        return response

    return invoke


def event_of(call: Call, account_id: str) -> dict[str, Any]:
    """The proxy event, in payload format 1.0."""
    request = call.request
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    query = request.query
    try:
        body, encoded = request.body.decode(), False
    except UnicodeDecodeError:
        body, encoded = base64.b64encode(request.body).decode(), True
    return {
        "resource": call.resource_path,
        "path": call.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()} or None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(call.path_parameters) or None,
        "stageVariables": dict(call.stage_variables) or None,
        "requestContext": {**context_of(call), "accountId": account_id},
        "body": body or None,
        "isBase64Encoded": encoded,
    }


def response_of(payload: bytes) -> Response | None:
    """The response that a function's answer describes, or None where it describes none."""
    try:
        answer = json.loads(payload)
        status = int(answer["statusCode"])
        body = answer.get("body")
        if body is not None and not isinstance(body, str):
            return None
        content = (body or "").encode()
        if answer.get("isBase64Encoded"):
            content = base64.b64decode(content, validate=True)
        headers = _headers_of(answer)
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        return None
    if not 100 <= status <= 599:
        return None
    return Response(status, content, headers)


def _headers_of(answer: Mapping[str, Any]) -> Headers:
    """`multiValueHeaders` win over `headers` of one name; JSON unless the function says else."""
    multiple: dict[str, list[Any]] = answer.get("multiValueHeaders") or {}
    single: dict[str, Any] = answer.get("headers") or {}
    taken = {name.lower() for name in multiple}
    pairs = [(name, value) for name, values in multiple.items() for value in values]
    pairs += [(name, value) for name, value in single.items() if name.lower() not in taken]
    if "content-type" not in {name.lower() for name, _ in pairs}:
        pairs.append(("content-type", "application/json"))
    return [
        (name.lower().encode("latin-1"), _text(value).encode("latin-1", "replace"))
        for name, value in pairs
        if name.lower() != "content-length"
    ]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
