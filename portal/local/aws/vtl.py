"""Mapping templates: Velocity by `airspeed`, with API Gateway's `$input`, `$util` and `$context`.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html

A template is compiled once, at deployment. What it assigns to `$context.requestOverride` and to
`$context.responseOverride` is in the context when it has run. A reference without a value prints
nothing, as API Gateway has it; Velocity would print its name. Of Java's methods, strings have those
that airspeed knows; what is no method of a value prints nothing either.
"""

import base64
import json
import operator
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TextIO
from urllib.parse import quote_plus, unquote_plus

import airspeed

from portal.local.aws import json_path
from portal.local.aws.vtl_values import HeaderMap, Map, text_of, value_of

# Velocity's names may have hyphens, as headers' have; airspeed's have none.
_NAME = r"[a-z_][a-z0-9_-]*"
airspeed.NameOrCall.NAME = re.compile(rf"({_NAME})", re.IGNORECASE)
airspeed.SetDirective.PLACE = re.compile(rf"\s*\$({_NAME}(?:\.{_NAME})*)", re.IGNORECASE)


class TemplateFailed(Exception):
    """A template cannot be read, or failed as it ran."""


class Input:
    """`$input`: the body (of the request, or of the backend's answer), and the parameters, by
    "path", "querystring" and "header", whose names are in lower case."""

    def __init__(self, body: str, parameters: Mapping[str, Mapping[str, str]]) -> None:
        self.body = body or "{}"
        self._parameters = parameters

    def json(self, path: str) -> str:
        """What a JSONPath leads to, as JSON; nothing is `""`, as the real service has it."""
        found = json_path.find(self._document(), path)
        found = "" if found is None else found
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))

    def path(self, path: str) -> Any:
        """What a JSONPath leads to, as a value. A body that is no JSON is `$` as text."""
        return value_of(json_path.find(self._document(), path))

    def params(self, name: str | None = None) -> Any:
        """One parameter, looked for in path, query and headers; or the three maps of all."""
        path, query = Map(self._parameters["path"]), Map(self._parameters["querystring"])
        headers = HeaderMap(self._parameters["header"])
        if name is None:
            return Map({"path": path, "querystring": query, "header": headers})
        return next((at[name] for at in (path, query, headers) if at.containsKey(name)), "")

    def _document(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body


class Util:
    """`$util`. Its methods raise TemplateFailed for what they cannot read."""

    def escapeJavaScript(self, text: Any) -> str:  # noqa: N802  (Java's names, here and below)
        """Escape for a JavaScript string. A quote becomes `\\'`, which JSON does not know."""
        return json.dumps(text_of(text))[1:-1].replace("'", "\\'")

    def parseJson(self, text: Any) -> Any:  # noqa: N802
        try:
            return value_of(json.loads(text_of(text)))
        except ValueError as error:
            raise TemplateFailed(f"parseJson: {error}") from None

    def urlEncode(self, text: Any) -> str:  # noqa: N802
        return quote_plus(text_of(text), safe="*").replace("~", "%7E")

    def urlDecode(self, text: Any) -> str:  # noqa: N802
        return unquote_plus(text_of(text))

    def base64Encode(self, text: Any) -> str:  # noqa: N802
        return base64.b64encode(text_of(text).encode()).decode()

    def base64Decode(self, text: Any) -> str:  # noqa: N802
        try:
            return base64.b64decode(text_of(text), validate=True).decode("utf-8", "replace")
        except ValueError as error:
            raise TemplateFailed(f"base64Decode: {error}") from None


Render = Callable[[Input, dict[str, Any], Mapping[str, str]], str]
_UTIL = Util()


def compiled(source: str) -> Render:
    """A template, ready to be rendered with `$input`, `$context` and `$stageVariables`.

    One without references or directives is what it is. Raises TemplateFailed where it cannot be
    read; so does rendering where it fails.
    """
    if "$" not in source and "#" not in source:
        return lambda _input, _context, _stage: source
    template = airspeed.Template(source)
    try:
        template.ensure_compiled()
    except airspeed.TemplateError as error:
        raise TemplateFailed(str(error)) from error
    _behave_as_java(template.root_element)

    def render(given: Input, context: dict[str, Any], stage_variables: Mapping[str, str]) -> str:
        context.setdefault("requestOverride", {"header": {}, "path": {}, "querystring": {}})
        context.setdefault("responseOverride", {"header": {}})
        names = {
            "input": given,
            "context": context,
            "stageVariables": Map(stage_variables),
            "util": _UTIL,
        }
        try:
            return str(template.merge(names))
        except airspeed.TemplateError as error:
            raise TemplateFailed(str(error)) from error

    return render


def _behave_as_java(root: Any) -> None:
    """Have a parsed template print `true` for True and nothing for None, and compare likewise."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        element = getattr(part, "__self__", part)  # some parts are kept as their methods only
        if isinstance(element, list | tuple):
            waiting.extend(element)
        elif hasattr(element, "evaluate") and id(element) not in seen:
            seen.add(id(element))
            waiting.extend(vars(element).values())
            if isinstance(element, airspeed.FormalReference):
                element.evaluate_raw = partial(_print, element)
            elif isinstance(element, airspeed.BinaryOperator):
                element.apply_to = _COMPARISONS.get(element.apply_to, element.apply_to)


def _equal(left: Any, right: Any) -> bool:
    """Null equals an empty text, as the real service was seen to have it."""
    return bool(("" if left is None else left) == ("" if right is None else right))


_COMPARISONS: dict[Any, Callable[[Any, Any], bool]] = {
    operator.eq: _equal,
    operator.ne: lambda left, right: not _equal(left, right),
}


def _print(reference: Any, stream: TextIO, namespace: Any, loader: Any) -> None:
    if reference.expression is None:  # a dollar that names nothing
        stream.write(reference.my_text())
    else:
        stream.write(text_of(reference.calculate(namespace, loader)))
