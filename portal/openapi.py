"""What drf-spectacular cannot know of the management API: tokens, and what refusals look like."""

from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import SAFE_METHODS

from tenants import idempotency, preconditions
from tenants.callers import TenantView
from tenants.problems import MEDIA_TYPE, PROBLEMS

_TEXT = {"type": "string"}

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Why a call was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Where the code is explained."},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": {"type": "string", "enum": list(PROBLEMS)},
        "scope": {"type": "string", "description": "With `scope_missing`: what the token lacks."},
        "errors": {
            "type": "array",
            "description": "With `invalid`: each field, by a JSON pointer or a parameter's name.",
            "items": {
                "type": "object",
                "required": ["detail", "code"],
                "properties": {
                    "pointer": _TEXT,
                    "parameter": _TEXT,
                    "detail": _TEXT,
                    "code": _TEXT,
                },
            },
        },
    },
}


IDEMPOTENCY_KEY = {
    "in": "header",
    "name": idempotency.HEADER,
    "description": (
        "Of your choosing, for example a UUID. The same call again within 24 hours does nothing"
        " again and is answered the same, but for what is shown once."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}


IF_MATCH = {
    "in": "header",
    "name": preconditions.HEADER,
    "description": "The ETag that it was read with: it is changed only if it still has that.",
    "schema": {"type": "string"},  # what is no ETag matches nothing
}


def _header(kind: str, description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


LIMITS = {
    "RateLimit-Limit": _header("integer", "How many calls a minute has."),
    "RateLimit-Remaining": _header("integer", "How many of them are left."),
    "RateLimit-Reset": _header("integer", "In how many seconds the minute is over."),
}
READ = {"ETag": _header("string", "For If-None-Match, and for If-Match of a change.")}
PAGE = {"Link": _header("string", 'Where there is more: `<?cursor=…>; rel="next"`.')}
CHANGED = {idempotency.REPLAYED: _header("string", "`true` where the call was answered before.")}
REFUSED = {"Retry-After": _header("integer", "Of 429: in how many seconds to come again.")}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers
    """A bearer token, and which of its scopes an operation takes."""

    target_class = "tenants.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token with the scope that the operation names.",
        }

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[str]]:
        view = cast("TenantView", auto_schema.view)
        return {self.name: [view.scopes[auto_schema.method]]}


def operations_complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every operation what all have; a hook of drf-spectacular's.

    That is the one answer of all refusals, and the headers that calls and answers may have.
    """
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for verbs in result["paths"].values():
        for verb, operation in verbs.items():
            is_safe = verb.upper() in SAFE_METHODS
            told = LIMITS | (READ if is_safe else CHANGED)
            if any(each["name"] == "cursor" for each in operation.get("parameters", [])):
                told |= PAGE
            for answer in operation["responses"].values():
                answer["headers"] = told
            if not is_safe:
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
                if verb != "post" and "get" in verbs:
                    operation["parameters"].append(IF_MATCH)
            operation["responses"]["default"] = {
                "description": "The call was refused.",
                "headers": LIMITS | REFUSED,
                "content": content,
            }
    return result
