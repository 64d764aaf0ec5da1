"""What drf-spectacular cannot know of the management API: what every operation of it may answer."""

from typing import Any

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


def problems_describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every operation the one answer that all refusals have; a hook of drf-spectacular's."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for verbs in result["paths"].values():
        for operation in verbs.values():
            refused = {"description": "The call was refused.", "content": content}
            operation["responses"]["default"] = refused
    return result
