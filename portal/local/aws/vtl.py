"""Mapping templates: Velocity by `airspeed`, with API Gateway's `$input`, `$util` and `$context`.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html

A template is compiled once, at deployment. What it assigns to `$context.requestOverride` and to
`$context.responseOverride` is in the context when it has run. A variable without a value renders as
nothing, as API Gateway has it; Velocity would print its name.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import airspeed

from portal.local.aws import json_path

# Apache's StringEscapeUtils; that one also escapes slashes, which AWS was seen to leave alone.
_ESCAPES = str.maketrans(
    {"\\": r"\\", '"': r"\"", "'": r"\'", "\b": r"\b", "\f": r"\f", "\n": r"\n"}
    | {"\r": r"\r", "\t": r"\t"}
)
_REFERENCE = re.compile(r"(?<!\\)\$(?!!)(?=\{?(?:input|context|stageVariables|util)\b)")


class TemplateFailed(Exception):
    """A template cannot be read, or failed as it ran."""


class Input:
    """`$input`: the body (of the request, or of the backend's answer), and the parameters."""

    def __init__(self, body: str, parameters: Mapping[str, Mapping[str, str]]) -> None:
        self.body = body
        self._parameters = parameters

    def json(self, path: str) -> str:
        """What a JSONPath leads to, as JSON; nothing is `""`, as the real service has it."""
        found = self.path(path)
        return '""' if found is None else json.dumps(found, ensure_ascii=False)

    def path(self, path: str) -> Any:
        """What a JSONPath leads to, as a value. A body that is no JSON is `$` as text."""
        return json_path.find(self._document(), path)

    def params(self, name: str | None = None) -> Any:
        """One parameter, looked for in path, query and headers; or the three maps of all."""
        places = {
            place: _Parameters(self._parameters.get(place, {}))
            for place in ("path", "querystring", "header")
        }
        if name is None:
            return _Parameters(places)
        if name in places:
            return places[name]
        for place in places.values():
            if name in place:
                return place[name]
        return ""

    def _document(self) -> Any:
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            return self.body


class _Parameters(dict[str, Any]):
    """A map with the methods of Java's that templates use."""

    def get(self, name: str, default: Any = "") -> Any:
        return super().get(name, default)

    def keySet(self) -> list[str]:  # noqa: N802  (Java's name)
        return list(self)

    def entrySet(self) -> list[dict[str, Any]]:  # noqa: N802
        return [{"key": name, "value": value} for name, value in self.items()]

    def containsKey(self, name: str) -> bool:  # noqa: N802
        return name in self

    def size(self) -> int:
        return len(self)


class Util:
    """`$util`."""

    def escapeJavaScript(self, text: Any) -> str:  # noqa: N802
        return _text(text).translate(_ESCAPES)

    def parseJson(self, text: Any) -> Any:  # noqa: N802
        try:
            return json.loads(_text(text))
        except ValueError as error:
            raise TemplateFailed(f"parseJson: {error}") from None

    def urlEncode(self, text: Any) -> str:  # noqa: N802
        return quote_plus(_text(text), safe="*-._")

    def urlDecode(self, text: Any) -> str:  # noqa: N802
        return unquote_plus(_text(text))

    def base64Encode(self, text: Any) -> str:  # noqa: N802
        return base64.b64encode(_text(text).encode()).decode()

    def base64Decode(self, text: Any) -> str:  # noqa: N802
        try:
            return base64.b64decode(_text(text), validate=True).decode("utf-8", "replace")
        except ValueError as error:
            raise TemplateFailed(f"base64Decode: {error}") from None


Render = Callable[[Input, dict[str, Any], Mapping[str, str]], str]


def compiled(source: str) -> Render:
    """A template, ready to be rendered with `$input`, `$context` and `$stageVariables`.

    One without references or directives is what it is. Raises TemplateFailed where it cannot be
    read; so does rendering where it fails.
    """
    if "$" not in source and "#" not in source:
        return lambda _input, _context, _stage: source
    # `$!name` is Velocity's quiet form: nothing where there is nothing.
    try:
        template = airspeed.Template(_REFERENCE.sub("$!", source))
        template.ensure_compiled()
    except airspeed.TemplateError as error:
        raise TemplateFailed(str(error)) from error
    util = Util()

    def render(given: Input, context: dict[str, Any], stage_variables: Mapping[str, str]) -> str:
        context.setdefault("requestOverride", {"header": {}, "path": {}, "querystring": {}})
        context.setdefault("responseOverride", {"header": {}})
        names = {
            "input": given,
            "context": context,
            "stageVariables": dict(stage_variables),
            "util": util,
        }
        try:
            return str(template.merge(names))
        except (
            airspeed.TemplateError,
            json_path.BadPath,
            TypeError,
            KeyError,
            ValueError,
        ) as error:
            raise TemplateFailed(str(error)) from error

    return render


def _text(value: Any) -> str:
    return "" if value is None else str(value)
