"""AWS: a call of another AWS service, in both forms of URI.

    arn:aws:apigateway:{region}:{service}:action/{Action}    the action, by the service's protocol
    arn:aws:apigateway:{region}:{service}:path/{path}        a path of the service's own API
    arn:aws:apigateway:{region}:lambda:path/…/invocations    a function that is no proxy

https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html#apigw-Type-Integration-uri
Which protocol a service speaks, and how it names an action, is botocore's to know.
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from botocore.session import get_session

from portal.local.aws import upstream
from portal.local.aws.gateway_responses import (
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

_URI = re.compile(
    r"arn:aws[a-z-]*:apigateway:([^:]+):(?:[^:.]+\.)?([^:.]+):(action|path)/(.+)", re.S
)
_DEFAULT_TIMEOUT_MS = 29_000
# What the URI calls a service, where botocore has another name for it.
_NAMES = {"states": "stepfunctions", "monitoring": "cloudwatch"}


class _Target(NamedTuple):
    """Where a service's calls go: method, path, query, and the headers that name the action."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


def service(definition: Mapping[str, Any], region: str) -> Integration | None:
    """Returns None for other kinds, and for a service that botocore does not know."""
    match = _URI.fullmatch(definition.get("uri") or "")
    if definition.get("type") != "AWS" or match is None:
        return None
    service_region, name, form, rest = match.groups()
    if form == "action" and _protocol(name) is None:
        return None
    templates, responses = RequestTemplates(definition), Responses(definition)
    mappings = definition.get("requestParameters") or {}
    timeout = int(definition.get("timeoutInMillis") or _DEFAULT_TIMEOUT_MS) / 1000
    method = definition.get("httpMethod") or "POST"
    is_function = name == "lambda" and rest.endswith("/invocations")

    async def invoke(call: Call) -> Response:
        context = fresh_context(call)
        try:
            body = templates.body(call, context)
        except TemplateFailed as failure:
            logger.error("%s: request template: %s", call.resource_path, failure)
            raise Refused(INTERNAL_ERROR) from failure
        if body is None:
            raise Refused(UNSUPPORTED_MEDIA_TYPE)
        values = request_values(call, mappings)
        overrides = context.get("requestOverride") or {}
        headers = {key.lower(): given[-1] for key, given in values["header"].items()}
        headers |= {key.lower(): str(v) for key, v in (overrides.get("header") or {}).items()}
        target = _action(name, rest, method, body) if form == "action" else None
        target = target or _path(rest, method, values["querystring"], values["path"])
        sent: Headers = [
            (key.encode("latin-1"), value.encode("latin-1", "replace"))
            for key, value in {
                "content-type": "application/json",
                **target.headers,
                **headers,
            }.items()
        ]
        calling = upstream.call(
            target.method,
            target.path,
            service=name,
            region=service_region,
            query=target.query,
            headers=sent,
            body=body,
        )
        try:
            answer = await asyncio.wait_for(calling, timeout)
        except TimeoutError:
            raise Refused(INTEGRATION_TIMEOUT) from None
        by = _function_error(answer) if is_function else str(answer.status)
        if by not in ("", "200"):
            logger.warning("%s: %s answered %s: %.200r", call.resource_path, name, by, answer.body)
        return responses.answer(call, context, by=by, answer=answer)

    return invoke


def _function_error(answer: Response) -> str:
    """A function's error message, which a selection pattern is held against; "" without one."""
    if not answer.header(b"x-amz-function-error"):
        return "" if answer.status == 200 else str(answer.status)
    try:
        return str(json.loads(answer.body).get("errorMessage") or "")
    except (ValueError, AttributeError):
        return answer.body.decode("utf-8", "replace")


@cache
def _protocol(name: str) -> tuple[str, str, str] | None:
    """A service's protocol, target prefix and version; None for one that botocore does not know."""
    try:
        model = get_session().get_service_model(_NAMES.get(name, name))
    except Exception:  # botocore raises several kinds for an unknown name
        logger.exception("unknown service %s", name)
        return None
    metadata = model.metadata
    return metadata["protocol"], metadata.get("targetPrefix", ""), metadata["apiVersion"]


def _action(name: str, action: str, method: str, body: bytes) -> _Target:
    known = _protocol(name)
    assert known is not None  # noqa: S101  (looked up when the method was deployed)
    protocol, prefix, version = known
    if protocol == "json" and not body.startswith(b"Action="):
        headers = {
            "x-amz-target": f"{prefix}.{action}",
            "content-type": "application/x-amz-json-1.0",
        }
        return _Target("POST", "/", "", headers)
    # The query protocol: the action and its version go beside what the template wrote.
    query = urlencode({"Action": action, "Version": version})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return _Target(method, "/", query, headers)


def _path(
    rest: str, method: str, query: Mapping[str, list[str]], path: Mapping[str, list[str]]
) -> _Target:
    for key, values in path.items():
        rest = rest.replace(f"{{{key}}}", values[-1])
    return _Target(method, "/" + rest.lstrip("/"), urlencode(query, doseq=True), {})
