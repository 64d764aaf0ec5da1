"""JSONPath, as far as mapping templates use it: `$`, `.name`, `['name']`, `[0]`, `[*]`, `.*`."""

import re
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]]+)|\[(?P<index>-?\d+)\]|\[(?P<all>\*)\]|\['(?P<quoted>[^']*)'\]|\["(?P<double>[^"]*)"\]"""
)


class BadPath(ValueError):
    """This is no JSONPath that is understood here."""


def find(document: Any, path: str) -> Any:
    """What a path leads to: a value, or a list where the path has a wildcard; None for nothing.

    Raises BadPath.
    """
    if not path.startswith("$"):
        raise BadPath(f"{path!r} does not start with $")
    found, is_many, at = [document], False, 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise BadPath(f"{path!r} is not understood from {path[at:]!r} on")
        at = step.end()
        if step["all"] or step["name"] == "*":
            is_many = True
            found = [child for each in found for child in _children(each)]
            continue
        name = next(
            (step[key] for key in ("name", "quoted", "double") if step[key] is not None), None
        )
        found = [
            child
            for each in found
            for child in (_member(each, name) if name is not None else _item(each, step["index"]))
        ]
    if is_many:
        return found
    return found[0] if found else None


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _member(value: Any, name: str) -> list[Any]:
    return [value[name]] if isinstance(value, dict) and name in value else []


def _item(value: Any, index: str) -> list[Any]:
    number = int(index)
    if not isinstance(value, list) or not -len(value) <= number < len(value):
        return []
    return [value[number]]
