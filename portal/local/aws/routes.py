"""Which method of which resource a path means, over one snapshot of an API's resources.

API Gateway resolves resource and method together and by specificity: a literal segment before
`{parameter}` before `{greedy+}`, and a resource that does not serve the method lets the request
fall through to the next. That is how the real service was seen to behave; its documentation says no
more than that the most specific path wins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from portal.local.aws.integrations import Integration, integration_for
from portal.local.aws.validation import Validation, Validations

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Route:
    """A method of a resource, ready to be called. `throttled_as` is its name where limits are set:
    "/path/METHOD", with ANY where the method is that."""

    resource_id: str
    resource_path: str
    throttled_as: str
    api_key_required: bool
    authorization: str
    validation: Validation | None
    integration: Integration


@dataclass
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "tuple[str, _Node] | None" = None
    greedy: "tuple[str, _Node] | None" = None
    methods: dict[str, Route] = field(default_factory=dict)

    def method(self, name: str) -> Route | None:
        return self.methods.get(name) or self.methods.get("ANY")


class RouteTable:
    """Built once per deployment. Paths without parameters are found by one look-up."""

    def __init__(self, resources: Iterable[Json], validations: Validations, region: str) -> None:
        self._root = _Node()
        self._plain: dict[tuple[str, str], Route] = {}
        for resource in resources:
            self._add(resource, validations, region)

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route for a percent-encoded path, with its decoded path parameters."""
        plain = self._plain.get((method, path)) or self._plain.get(("ANY", path))
        if plain is not None:
            return plain, {}
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        if segments == [""]:
            segments = []
        return _descend(self._root, method, segments, {})

    def _add(self, resource: Json, validations: Validations, region: str) -> None:
        path: str = resource["path"]
        node = self._root
        for part in path.strip("/").split("/") if path != "/" else []:
            if part.startswith("{") and part.endswith("+}"):
                node.greedy = node.greedy or (part[1:-2], _Node())
                node = node.greedy[1]
            elif part.startswith("{") and part.endswith("}"):
                node.parameter = node.parameter or (part[1:-1], _Node())
                node = node.parameter[1]
            else:
                node = node.literals.setdefault(part, _Node())
        for name, definition in (resource.get("resourceMethods") or {}).items():
            route = Route(
                resource_id=resource["id"],
                resource_path=path,
                throttled_as=f"{path.rstrip('/')}/{name}",
                api_key_required=bool(definition.get("apiKeyRequired")),
                authorization=definition.get("authorizationType") or "NONE",
                validation=validations.of(definition),
                integration=integration_for(definition.get("methodIntegration"), region),
            )
            node.methods[name] = route
            if "{" not in path:
                self._plain[name, path] = route


def _descend(
    node: _Node, method: str, segments: list[str], parameters: dict[str, str]
) -> tuple[Route, dict[str, str]] | None:
    if not segments:
        route = node.method(method)
        return (route, parameters) if route else None
    first, rest = segments[0], segments[1:]
    literal = node.literals.get(first)
    if literal and (found := _descend(literal, method, rest, parameters)):
        return found
    if node.parameter:
        name, child = node.parameter
        if found := _descend(child, method, rest, {**parameters, name: first}):
            return found
    if node.greedy:
        name, child = node.greedy
        if route := child.method(method):
            return route, {**parameters, name: "/".join(segments)}
    return None
