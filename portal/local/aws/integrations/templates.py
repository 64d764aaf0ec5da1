"""What integrations that are no proxies share: request and response templates.

The request's template is chosen by its content type, JSON without one; the answer's integration
response by its selection pattern, and that one's template likewise.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.local.aws.context import context_of
from portal.local.aws.gateway_responses import (
    API_CONFIGURATION_ERROR,
    INTERNAL_ERROR,
    Refused,
)
from portal.local.aws.integrations.base import Call
from portal.local.aws.mappings import parameters_of, response_headers
from portal.local.aws.vtl import Input, Render, TemplateFailed, compiled
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

    def body(self, call: Call, context: dict[str, Any]) -> bytes | None:
        """The body, or None where the content type is refused. Raises TemplateFailed."""
        render = self._templates.get(media_type(call.request.header(b"content-type")))
        if render is not None:
            given = Input(_decoded(call.request.body), parameters_of(call))
            return render(given, context, call.stage_variables).encode()
        passes = self._behaviour == "WHEN_NO_MATCH" or (
            self._behaviour == "WHEN_NO_TEMPLATES" and not self._templates
        )
        return call.request.body if passes else None


@dataclass(frozen=True)
class _IntegrationResponse:
    status: int
    pattern: re.Pattern[str] | None
    parameters: Mapping[str, str]
    templates: Mapping[str, Render]


class Responses:
    """The integration responses of a method. Raises TemplateFailed where one cannot be read."""

    def __init__(self, definition: Definition) -> None:
        self._responses = [
            _IntegrationResponse(
                status=int(each.get("statusCode") or 200),
                pattern=re.compile(each["selectionPattern"])
                if each.get("selectionPattern")
                else None,
                parameters=each.get("responseParameters") or {},
                templates={
                    name.lower(): compiled(source or "")
                    for name, source in (each.get("responseTemplates") or {}).items()
                },
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
        wanted = media_type(call.request.header(b"accept"))
        name = wanted if wanted in chosen.templates else next(iter(chosen.templates), JSON)
        render = chosen.templates.get(name)
        body = answer.body
        try:
            if render is not None:
                given = Input(_decoded(answer.body), parameters_of(call))
                body = render(given, context, call.stage_variables).encode()
        except TemplateFailed as failure:
            logger.error("%s: response template: %s", call.resource_path, failure)
            raise Refused(INTERNAL_ERROR) from failure
        override = context.get("responseOverride") or {}
        headers = response_headers(call, chosen.parameters, answer)
        headers |= {key: [str(value)] for key, value in (override.get("header") or {}).items()}
        named = {key.lower() for key in headers}
        pairs = [
            (key.encode("latin-1"), value.encode("latin-1", "replace"))
            for key, values in headers.items()
            for value in values
        ]
        if "content-type" not in named:
            content_type = name if render is not None else answer.header(b"content-type") or JSON
            pairs.insert(0, (b"content-type", content_type.encode("latin-1")))
        status = int(override.get("status") or chosen.status)
        return Response(status, body if status != 204 else b"", pairs)

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


def _decoded(body: bytes) -> str:
    return body.decode("utf-8", "replace")
