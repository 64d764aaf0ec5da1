"""Patch operations on what ministack keeps, as API Gateway has them.

ministack would take any path, keep `~1` in names, and keep flags and numbers as text. So a patch is
applied here, checked against the thing's shape in botocore's model.
https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

import copy
from collections.abc import Iterable
from typing import Any, NamedTuple

from portal.local.aws.errors import BadRequest
from portal.local.aws.plan_patch import needed, refuse_patch

Json = dict[str, Any]
_OPS = ("add", "remove", "replace")


class _Patch(NamedTuple):
    op: str
    path: str
    value: str | None


def patched(
    document: Json, operations: Iterable[tuple[str, str, str | None]], shape: Any, members: str
) -> Json:
    """The members of a document that a patch changes, whole. Raises BadRequest.

    `members` names those that may be changed.
    """
    allowed = members.split()
    result, touched = copy.deepcopy(document), set()
    for op, path, value in operations:
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")]
        if op not in _OPS or tokens[0] or len(tokens) < 2 or tokens[1] not in allowed:
            raise refuse_patch(op, path, [f"/{name}" for name in allowed])
        _apply(result, shape, tokens[1:], _Patch(op, path, value))
        touched.add(tokens[1])
    return {name: result.get(name) for name in touched}


def _apply(holder: Json, shape: Any, tokens: list[str], patch: _Patch) -> None:
    """Apply one operation below an object, which is a structure or a map."""
    name, rest = tokens[0], tokens[1:]
    member = shape.value if shape.type_name == "map" else shape.members.get(name)
    if member is None:
        raise refuse_patch(patch.op, patch.path, [f"/…/{known}" for known in shape.members])
    if member.type_name == "list":
        holder[name] = _listed(holder.get(name) or [], rest, patch)
    elif rest:
        if member.type_name not in ("structure", "map"):
            raise BadRequest(f"Invalid patch path {patch.path!r}: {name!r} has no parts")
        if not holder.get(name):
            holder[name] = {}
        _apply(holder[name], member, rest, patch)
    elif patch.op == "remove":
        holder.pop(name, None)
    else:
        holder[name] = _scalar(member.type_name, needed(patch.value, patch.path), patch.path)


def _listed(items: list[str], rest: list[str], patch: _Patch) -> list[str]:
    """A list is patched by its elements: named in the path, or by the value."""
    if len(rest) > 1:
        raise BadRequest(f"Invalid patch path {patch.path!r}: elements have no parts")
    element = rest[0] if rest else needed(patch.value, patch.path)
    others = [item for item in items if item != element]
    if patch.op == "remove":
        return others
    if patch.op == "add":
        return [*others, element]
    new = needed(patch.value, patch.path)
    return [new if item == element else item for item in items] if rest else [new]


def _scalar(kind: str, value: str, path: str) -> object:
    try:
        if kind == "boolean":
            return {"true": True, "false": False}[value.lower()]
        if kind == "integer":
            return int(value)
        if kind == "double":
            return float(value)
    except (ValueError, KeyError):
        raise BadRequest(f"Invalid value {value!r} for {path}: a {kind} is expected") from None
    if kind != "string":
        raise BadRequest(f"Invalid patch path {path!r}: name a part of it")
    return value
