"""Templates that are no Velocity: `$context.name` and `$stageVariables.name`, replaced by values.

Gateway responses and access logs are written so. Values come from callers, too (a path, a user
agent), and both kinds of template are JSON as a rule: so what JSON would escape is escaped.
`$context.error.messageString` brings its own quotes.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from portal.local.aws.context import lookup

_NAME = r"(?:context|stageVariables)(?:\.\w+)+"
_REFERENCE = re.compile(rf"\$(?:\{{({_NAME})\}}|({_NAME}))")
_QUOTED = "context.error.messageString"

Substitute = Callable[[Mapping[str, Any], Mapping[str, str]], str]


def compiled(template: str, *, absent: str) -> Substitute:
    """A template, ready to be given `$context` and `$stageVariables`; `absent` is what a variable
    without a value becomes."""
    parts = _REFERENCE.split(template)  # text, name in braces, name without, text, …
    texts = parts[::3]
    names = [braced or plain for braced, plain in zip(parts[1::3], parts[2::3], strict=True)]

    def substitute(context: Mapping[str, Any], stage_variables: Mapping[str, str]) -> str:
        values = {"context": context, "stageVariables": stage_variables}
        found = [texts[0]]
        for name, text in zip(names, texts[1:], strict=True):
            value = lookup(values, name)
            if not value:
                value = absent
            elif name != _QUOTED:
                value = json.dumps(value, ensure_ascii=False)[1:-1]
            found += (value, text)
        return "".join(found)

    return substitute
