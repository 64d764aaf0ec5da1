"""Templates that are no Velocity: `$context.name` and `$stageVariables.name`, replaced by values.

Gateway responses and access logs are written so. Values come from callers, too (a path, a user
agent), and both kinds of template are JSON as a rule: so what JSON would escape is escaped.
`$context.error.messageString` brings its own quotes.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_NAME = r"(?:context|stageVariables)(?:\.\w+)+"
_REFERENCE = re.compile(rf"\$(?:\{{({_NAME})\}}|({_NAME}))")
_QUOTED = ["context", "error", "messageString"]
_ESCAPED = re.compile(r'["\\\x00-\x1f]')

Substitute = Callable[[dict[str, Any], Mapping[str, str]], str]


def compiled(template: str, *, absent: str) -> Substitute:
    """A template, ready to be given `$context` and `$stageVariables`; `absent` is what a variable
    without a value becomes."""
    parts = _REFERENCE.split(template)  # text, name in braces, name without, text, …
    first, texts = parts[0], parts[3::3]
    names = [braced or plain for braced, plain in zip(parts[1::3], parts[2::3], strict=True)]
    steps = [(name.split("."), text) for name, text in zip(names, texts, strict=True)]

    def substitute(context: dict[str, Any], stage_variables: Mapping[str, str]) -> str:
        values = {"context": context, "stageVariables": stage_variables}
        found = [first]
        for path, text in steps:
            value = _value(values, path)
            if not value:
                value = absent
            elif path != _QUOTED and _ESCAPED.search(value):
                value = json.dumps(value, ensure_ascii=False)[1:-1]
            found += (value, text)
        return "".join(found)

    return substitute


def _value(values: dict[str, Any], path: list[str]) -> str:
    """What a name leads to, as text; nothing where there is nothing, or more names."""
    found: Any = values
    for part in path:
        if not isinstance(found, dict):
            return ""
        found = found.get(part)
    return "" if found is None or isinstance(found, dict) else str(found)
