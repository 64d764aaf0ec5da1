"""JSON values as mapping templates see them: as Java's, in methods and in print.

A map prints as `{name=value}`, a list as JSON; the real service was seen to do so. The names of the
methods are Java's.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def value_of(value: Any) -> Any:
    """A JSON value for a template."""
    if isinstance(value, Mapping):
        return Map(value)
    if isinstance(value, list):
        return List(value)
    return value


def text_of(value: Any) -> str:
    """A value as it is printed; nothing for null, and for a method that was not called."""
    if value is None or callable(value):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Map:
    """Not a dict, whose own methods would be found where a name is missing."""

    def __init__(self, pairs: Mapping[str, Any]) -> None:
        self._pairs = {name: value_of(value) for name, value in pairs.items()}

    def __getitem__(self, name: str) -> Any:
        return self._pairs[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._pairs[name] = value

    def __iter__(self) -> Iterator[Any]:
        """Over the values, as `#foreach` over a map goes."""
        return iter(self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        pairs = (
            f"{name}={'null' if value is None else text_of(value)}"
            for name, value in self._pairs.items()
        )
        return "{" + ", ".join(pairs) + "}"

    def get(self, name: str) -> Any:
        return self._pairs.get(name)

    def put(self, name: str, value: Any) -> Any:
        before = self._pairs.get(name)
        self._pairs[name] = value
        return before

    def keySet(self) -> list[str]:  # noqa: N802
        return list(self._pairs)

    def values(self) -> "List":
        return List(list(self._pairs.values()))

    def entrySet(self) -> "List":  # noqa: N802
        return List([{"key": name, "value": value} for name, value in self._pairs.items()])

    def containsKey(self, name: str) -> bool:  # noqa: N802
        return name in self._pairs

    def isEmpty(self) -> bool:  # noqa: N802
        return not self._pairs

    def size(self) -> int:
        return len(self._pairs)

    def toString(self) -> str:  # noqa: N802
        return str(self)


class HeaderMap(Map):
    """Headers by name, in lower case; asked for in any."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name.lower())

    def get(self, name: str) -> Any:
        return super().get(name.lower())

    def containsKey(self, name: str) -> bool:  # noqa: N802
        return super().containsKey(name.lower())


class List(list[Any]):
    """A list with a Java list's methods."""

    def __init__(self, items: list[Any]) -> None:
        super().__init__(value_of(item) for item in items)

    def __str__(self) -> str:
        return json.dumps(
            self, ensure_ascii=False, separators=(",", ":"), default=lambda each: each._pairs
        )

    def get(self, index: int) -> Any:
        return self[index]

    def add(self, value: Any) -> bool:
        self.append(value)
        return True

    def contains(self, value: Any) -> bool:
        return value in self

    def isEmpty(self) -> bool:  # noqa: N802
        return not self

    def size(self) -> int:
        return len(self)

    def toString(self) -> str:  # noqa: N802
        return str(self)
