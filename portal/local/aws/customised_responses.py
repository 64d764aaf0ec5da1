"""An API's own gateway responses: status, headers and body of what the gateway itself answers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html
A type without a response of its own follows DEFAULT_4XX or DEFAULT_5XX, by its default status; a
status given there becomes that of all who follow. The JSON template serves everybody, whatever a
caller accepts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.local.aws import substitution
from portal.local.aws.context import context_of, error_of, lookup
from portal.local.aws.gateway_responses import GatewayResponse
from portal.local.aws.integrations import Call
from portal.local.aws.mappings import values_of
from portal.local.aws.substitution import Substitute
from portal.local.aws.wire import Headers, Response

_JSON = "application/json"
_HEADER = "gatewayresponse.header."
_DEFAULT_TEMPLATE = '{"message":$context.error.messageString}'


@dataclass(frozen=True)
class _Customised:
    """`headers` are pairs of a name and a source, as mappings write it."""

    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: Substitute


class CustomisedResponses:
    """Made once per deployment, of those that GetGatewayResponses calls no default."""

    def __init__(self, definitions: Iterable[Mapping[str, Any]]) -> None:
        self._by_type = {each["responseType"]: _customised(each) for each in definitions}

    def answer(self, refusal: GatewayResponse, call: Call) -> Response:
        family = "DEFAULT_5XX" if refusal.status >= 500 else "DEFAULT_4XX"
        own = self._by_type.get(refusal.type) or self._by_type.get(family)
        if own is None:
            return refusal.response()
        context = {**context_of(call), "error": error_of(refusal)}
        headers: Headers = [(b"x-amzn-ErrorType", refusal.error_type.encode())]
        for name, source in own.headers:
            headers += [
                (name.encode("latin-1"), value.encode("latin-1", "replace"))
                for value in _values(source, call, context)
            ]
        body = own.body(context, call.stage_variables).encode()
        return Response(own.status or refusal.status, body, headers)


def _customised(definition: Mapping[str, Any]) -> _Customised:
    templates = definition.get("responseTemplates") or {_JSON: _DEFAULT_TEMPLATE}
    media_type = _JSON if _JSON in templates else next(iter(templates))
    status = definition.get("statusCode")
    headers = {"content-type": f"'{media_type}'"}
    for target, source in (definition.get("responseParameters") or {}).items():
        if target.startswith(_HEADER):
            headers[target.removeprefix(_HEADER).lower()] = source
    return _Customised(
        status=int(status) if status else None,
        headers=tuple(headers.items()),
        body=substitution.compiled(templates[media_type] or "", absent=""),
    )


def _values(source: str, call: Call, context: Mapping[str, Any]) -> list[str]:
    """What a header's source gives; nothing leaves the header out."""
    if source.startswith("context."):
        value = lookup(context, source.removeprefix("context."))
        return [] if value is None else [value]
    return values_of(call, source)
