"""What integrations that are no proxies share: request and response templates.

The request's template is chosen by its content type, JSON without one; the answer's integration
response by its selection pattern, and that one's template by what the caller accepts.

Binary media types are not supported: every body is text, which CONVERT_TO_BINARY takes for Base64.
"""

import base64
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.local.aws.context import context_of
from portal.local.aws.gateway_responses import (
    API_CONFIGURATION_ERROR,
    INTERNAL_ERROR,
    UNSUPPORTED_MEDIA_TYPE,
    Refused,
)
from portal.local.aws.integrations.base import Call
from portal.local.aws.mappings import header_pairs, parameters_of, response_headers
from portal.local.aws.vtl import Input, Render, TemplateFailed, compiled
from portal.local.aws.vtl_values import text_of
from portal.local.aws.wire import Response

logger = logging.getLogger(__name__)
JSON = "application/json"
Definition = Mapping[str, Any]


def media_type(value: str | None) -> str:
    """A Content-Type without its parameters; JSON where there is none."""
    return (value or JSON).partition(";")[0].strip().lower() or JSON


class RequestTemplates:
    """The body that a backend is sent.

    `passthroughBehavior` says what becomes of a content type that has no template: passed through
    (WHEN_NO_MATCH), only where there are no templates at all (WHEN_NO_TEMPLATES), or refused.
    Raises TemplateFailed where a template cannot be read.
    """

    def __init__(self, definition: Definition) -> None:
        templates = definition.get("requestTemplates") or {}
        self._templates = {
            name.lower(): compiled(source or "") for name, source in templates.items()
        }
        self._behaviour = definition.get("passthroughBehavior") or "WHEN_NO_MATCH"
        self._handling = definition.get("contentHandling")

    def body(self, call: Call, context: dict[str, Any]) -> bytes:
        """The body. Raises Refused where the content type has no template, or that one fails."""
        render = self._templates.get(media_type(call.request.header(b"content-type")))
        passes = self._behaviour == "WHEN_NO_MATCH" or (
            self._behaviour == "WHEN_NO_TEMPLATES" and not self._templates
        )
        if render is None and not passes:
            raise Refused(UNSUPPORTED_MEDIA_TYPE)
        return _rendered(render, call, context, call.request.body, self._handling)


@dataclass(frozen=True)
class _IntegrationResponse:
    status: int
    pattern: re.Pattern[str] | None
    parameters: Mapping[str, str]
    templates: Mapping[str, Render]
    handling: str | None


class Responses:
    """The integration responses of a method. Raises TemplateFailed where one cannot be read."""

    def __init__(self, definition: Definition) -> None:
        self._responses = [
            _IntegrationResponse(
                status=int(each.get("statusCode") or 200),
                pattern=_pattern(each.get("selectionPattern")),
                parameters=each.get("responseParameters") or {},
                templates={
                    name.lower(): compiled(source or "")
                    for name, source in (each.get("responseTemplates") or {}).items()
                },
                handling=each.get("contentHandling"),
            )
            for each in (definition.get("integrationResponses") or {}).values()
        ]

    def answer(self, call: Call, context: dict[str, Any], *, by: str, answer: Response) -> Response:
        """The method's answer to a backend's, chosen `by` its status, or a function's error.

        Raises Refused where none is meant for it, or its template fails.
        """
        chosen = self._choose(by)
        if chosen is None:
            logger.error("%s: no integration response for %r", call.resource_path, by)
            raise Refused(API_CONFIGURATION_ERROR)
        name = _accepted(chosen.templates, call.request.header(b"accept"))
        render = chosen.templates.get(name)
        body = _rendered(render, call, context, answer.body, chosen.handling)
        override = context.get("responseOverride") or {}
        headers = response_headers(call, chosen.parameters, answer)
        headers |= {
            key.lower(): [text_of(value)] for key, value in override.get("header", {}).items()
        }
        headers.setdefault("content-type", [name])
        status = override.get("status")
        if not isinstance(status, int) or not 100 <= status <= 599:  # ignored, as AWS does
            status = chosen.status
        return Response(status, body if status != 204 else b"", header_pairs(headers))

    def _choose(self, by: str) -> _IntegrationResponse | None:
        default = None
        for response in self._responses:
            if response.pattern is None:
                default = default or response
            elif response.pattern.fullmatch(by):
                return response
        return default


def fresh_context(call: Call) -> dict[str, Any]:
    """`$context` for the templates of one call; absent values are empty."""
    context = context_of(call)
    identity = {name: "" if value is None else value for name, value in context["identity"].items()}
    return {**context, "identity": identity}


def _pattern(source: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(source) if source else None
    except re.error as error:
        raise TemplateFailed(f"selection pattern {source!r}: {error}") from None


def _accepted(templates: Mapping[str, Render], accept: str | None) -> str:
    """The content type of the answer: one that is accepted, JSON, or the first that there is."""
    for each in (accept or "").split(","):
        if media_type(each) in templates:
            return media_type(each)
    return JSON if JSON in templates else next(iter(templates), JSON)


def _rendered(
    render: Render | None, call: Call, context: dict[str, Any], body: bytes, handling: str | None
) -> bytes:
    """A body as its content handling and its template make it. Raises Refused."""
    try:
        if handling == "CONVERT_TO_BINARY":
            body = base64.b64decode(body, validate=True)
        if render is None:
            return body
        given = Input(body.decode("utf-8", "replace"), parameters_of(call))
        return render(given, context, call.stage_variables).encode()
    except (TemplateFailed, ValueError) as failure:
        logger.error("%s: a body: %s", call.resource_path, failure)
        raise Refused(INTERNAL_ERROR) from failure
