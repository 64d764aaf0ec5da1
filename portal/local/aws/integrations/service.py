"""AWS: a call of another AWS service, in both forms of URI.

    arn:aws:apigateway:{region}:{service}:action/{Action}    the action, by the service's protocol
    arn:aws:apigateway:{region}:{service}:path/{path}        a path of the service's own API
    arn:aws:apigateway:{region}:lambda:path/…/invocations    a function that is no proxy

https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html#apigw-Type-Integration-uri
Which protocol a service speaks, and how it names an action, is botocore's to know.
"""

import json
import logging
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from botocore.exceptions import BotoCoreError
from botocore.session import get_session

from portal.local.aws import upstream
from portal.local.aws.integrations.base import Call, Integration, seconds_allowed, within
from portal.local.aws.integrations.templates import (
    JSON,
    RequestTemplates,
    Responses,
    fresh_context,
)
from portal.local.aws.mappings import (
    Values,
    header_pairs,
    request_values,
    with_stage_variables,
)
from portal.local.aws.wire import Response

logger = logging.getLogger(__name__)

_URI = re.compile(
    r"arn:aws[a-z-]*:apigateway:([^:]+):(?:[^:.]+\.)?([^:.]+):(action|path)/(.+)", re.S
)
# What the URI calls a service, where botocore has another name for it.
_NAMES = {"states": "stepfunctions", "monitoring": "cloudwatch"}
_FORM = "application/x-www-form-urlencoded"


class _Target(NamedTuple):
    """Where a service's calls go: method, path, query, and the headers that name the action."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


def service(definition: Mapping[str, Any], region: str) -> Integration | None:
    """Returns None for other kinds, and for a service whose actions cannot be called by name."""
    match = _URI.fullmatch(definition.get("uri") or "")
    if definition.get("type") != "AWS" or match is None:
        return None
    service_region, name, form, rest = match.groups()
    metadata = _metadata(name) if form == "action" else None
    if form == "action" and metadata is None:
        return None
    templates, responses = RequestTemplates(definition), Responses(definition)
    mappings = definition.get("requestParameters") or {}
    timeout = seconds_allowed(definition)
    method = definition.get("httpMethod") or "POST"
    is_function = name == "lambda" and rest.endswith("/invocations")

    async def invoke(call: Call) -> Response:
        context = fresh_context(call)
        body = templates.body(call, context)
        values = request_values(call, mappings, context.get("requestOverride") or {})
        filled = with_stage_variables(rest, call)
        if metadata is None:
            target = _path(call, filled, method, values)
        else:
            target = _action(metadata, filled, method, values["querystring"], body)
        sent = {key: [value] for key, value in target.headers.items()} | values["header"]
        calling = upstream.call(
            target.method,
            target.path,
            service=name,
            region=service_region,
            query=target.query,
            headers=header_pairs(sent),
            body=body,
        )
        answer = await within(timeout, calling)
        by = str(answer.status)
        if is_function and answer.header(b"x-amz-function-error"):
            by = _function_error(answer)
        if by != "200":
            logger.warning("%s: %s answered %s: %.200r", call.resource_path, name, by, answer.body)
        return responses.answer(call, context, by=by, answer=answer)

    return invoke


def _function_error(answer: Response) -> str:
    """A function's error message, which a selection pattern is held against."""
    try:
        return str(json.loads(answer.body)["errorMessage"])
    except (ValueError, TypeError, KeyError):
        return answer.body.decode("utf-8", "replace")


@cache
def _metadata(name: str) -> Mapping[str, str] | None:
    """What botocore knows of a service; None for an unknown one, and for one without actions."""
    try:
        metadata: Mapping[str, str] = (
            get_session().get_service_model(_NAMES.get(name, name)).metadata
        )
    except BotoCoreError as error:
        logger.error("%s: %s", name, error)
        return None
    return metadata if metadata["protocol"] in ("json", "query") else None


def _action(
    metadata: Mapping[str, str], action: str, method: str, mapped: Values, body: bytes
) -> _Target:
    """SQS speaks both protocols; which of them is meant shows in what it is sent."""
    if metadata["protocol"] == "json" and not mapped and body.lstrip()[:1] == b"{":
        headers = {
            "x-amz-target": f"{metadata['targetPrefix']}.{action}",
            "content-type": f"application/x-amz-json-{metadata['jsonVersion']}",
        }
        return _Target("POST", "/", "", headers)
    named = {"Action": [action], "Version": [metadata["apiVersion"]]} | mapped
    return _Target(method, "/", urlencode(named, doseq=True), {"content-type": _FORM})


def _path(call: Call, rest: str, method: str, values: Mapping[str, Values]) -> _Target:
    for key, given in values["path"].items():
        rest = rest.replace(f"{{{key}}}", quote(given[-1], safe="/~"))
    query = urlencode(values["querystring"], doseq=True)
    kind = call.request.header(b"content-type") or JSON
    return _Target(method, "/" + rest.lstrip("/"), query, {"content-type": kind})
