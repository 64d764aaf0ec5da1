"""Reads request parameters: from form encoding to checked, typed values.

Stripe's clients send nested values as `line_items[0][price_data][currency]=usd`. `decode` turns
that into nested dictionaries (lists too: their keys are the indexes); a field then checks one value
and gives it its type. A `Hash` refuses what it does not know, so that a parameter which this server
does not implement is an error here instead of being silently ignored.

An empty string means "unset" to Stripe; fields that can be unset read it as None.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from .errors import InvalidParameter

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_MAX_DEPTH = 8
_MAX_INT = 2**53


def decode(encoded: str) -> dict[str, Any]:
    """Form or query encoding to nested dictionaries of strings.

    Raises InvalidParameter for a key that is malformed or that is both a value and a hash.
    """
    root: dict[str, Any] = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        match = _KEY.fullmatch(key)
        parts = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else []
        if not parts or len(parts) > _MAX_DEPTH:
            raise InvalidParameter(f"Invalid parameter name: {key}", param=key)
        node = root
        for part in parts[:-1]:
            node = node.setdefault(part or str(len(node)), {})
            if not isinstance(node, dict):
                raise InvalidParameter(f"{key} is both a value and a hash", param=key)
        last = parts[-1] or str(len(node))
        if isinstance(node.get(last), dict):
            raise InvalidParameter(f"{key} is both a value and a hash", param=key)
        node[last] = value
    return root


class Field(Protocol):
    """One parameter: whether it must be there, and how its value is read."""

    @property
    def required(self) -> bool: ...

    def read(self, raw: Any, name: str) -> Any:
        """The typed value. Raises InvalidParameter, naming `name`."""
        ...


def _string(raw: Any, name: str) -> str:
    if not isinstance(raw, str):
        raise InvalidParameter(f"Invalid string: {name} takes one value", param=name)
    return raw


@dataclass(frozen=True)
class Text:
    """A string; None when unset with an empty one, if it may be `blank` and is not required."""

    required: bool = False
    blank: bool = True
    max: int = 5000
    choices: tuple[str, ...] = ()

    def read(self, raw: Any, name: str) -> str | None:
        value = _string(raw, name)
        if value == "":
            if self.required or not self.blank:
                raise InvalidParameter(
                    f"You passed an empty string for '{name}', which cannot be unset.",
                    param=name,
                    code="parameter_invalid_empty",
                )
            return None
        if self.choices and value not in self.choices:
            raise InvalidParameter(
                f"Invalid {name}: must be one of {', '.join(self.choices)}", param=name
            )
        if len(value) > self.max:
            raise InvalidParameter(
                f"Invalid string: {value[:20]}…; must be at most {self.max} characters", param=name
            )
        return value


@dataclass(frozen=True)
class Url:
    """An absolute http(s) address."""

    required: bool = False

    def read(self, raw: Any, name: str) -> str:
        value = _string(raw, name)
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidParameter("Not a valid URL", param=name, code="url_invalid")
        return value


@dataclass(frozen=True)
class Integer:
    """A whole number within [min, max]."""

    required: bool = False
    min: int = 0
    max: int = _MAX_INT

    def read(self, raw: Any, name: str) -> int:
        value = _string(raw, name)
        if not re.fullmatch(r"-?[0-9]{1,16}", value):
            raise InvalidParameter(
                f"Invalid integer: {value[:40]}", param=name, code="parameter_invalid_integer"
            )
        number = int(value)
        if not self.min <= number <= self.max:
            bound = f"at least {self.min}" if number < self.min else f"at most {self.max}"
            raise InvalidParameter(f"Invalid integer: {name} must be {bound}", param=name)
        return number


@dataclass(frozen=True)
class Flag:
    """`true` or `false`."""

    required: bool = False

    def read(self, raw: Any, name: str) -> bool:
        value = _string(raw, name)
        if value not in {"true", "false"}:
            raise InvalidParameter(f"Invalid boolean: {value[:40]}", param=name)
        return value == "true"


@dataclass(frozen=True)
class Removed:
    """A parameter that older versions of the API had, with the code it is refused with now."""

    code: str
    instead: str
    required: bool = False

    def read(self, raw: Any, name: str) -> Any:
        raise InvalidParameter(
            f"`{name}` is no longer supported. Use `{self.instead}` instead.",
            param=name,
            code=self.code,
        )


@dataclass(frozen=True)
class ListOf:
    """A list, given as `a[0]=…&a[1]=…` or `a[]=…`."""

    item: Field
    required: bool = False
    max: int = 100

    def read(self, raw: Any, name: str) -> list[Any]:
        if not isinstance(raw, dict) or not all(key.isdecimal() for key in raw):
            raise InvalidParameter("Invalid array", param=name)
        if len(raw) > self.max:
            raise InvalidParameter(f"Invalid array: at most {self.max} items", param=name)
        ordered = sorted(raw.items(), key=lambda entry: int(entry[0]))
        return [self.item.read(value, f"{name}[{key}]") for key, value in ordered]


@dataclass(frozen=True)
class Hash:
    """A dictionary of known fields; holds only what was sent."""

    fields: Mapping[str, Field]
    required: bool = False

    def read(self, raw: Any, name: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise InvalidParameter("Invalid object", param=name)

        def full(key: str) -> str:
            return f"{name}[{key}]" if name else key

        for key in raw:
            if key not in self.fields:
                raise InvalidParameter(
                    f"Received unknown parameter: {full(key)}",
                    param=full(key),
                    code="parameter_unknown",
                )
        for key, known in self.fields.items():
            if known.required and key not in raw:
                raise InvalidParameter(
                    f"Missing required param: {full(key)}.",
                    param=full(key),
                    code="parameter_missing",
                )
        return {key: self.fields[key].read(value, full(key)) for key, value in raw.items()}


@dataclass(frozen=True)
class Metadata:
    """Stripe's metadata: up to 50 pairs, keys to 40 characters, values to 500.

    Reads to a dictionary whose empty values mean "delete this key", or to None for "delete all".
    """

    required: bool = False

    def read(self, raw: Any, name: str) -> dict[str, str] | None:
        if raw == "":
            return None
        if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
            raise InvalidParameter("Invalid metadata: must be a hash of strings", param=name)
        if len(raw) > 50:
            raise InvalidParameter("Metadata can have at most 50 keys", param=name)
        for key, value in raw.items():
            if len(key) > 40 or len(value) > 500:
                raise InvalidParameter(
                    f"Metadata keys can have up to 40 and values up to 500 characters: {key[:40]}",
                    param=name,
                )
        return dict(raw)


@dataclass(frozen=True)
class Range:
    """A filter by time: one Unix time, or a hash of gt, gte, lt, lte."""

    required: bool = False
    bounds: Hash = field(
        default_factory=lambda: Hash({key: Integer() for key in ("gt", "gte", "lt", "lte")})
    )

    def read(self, raw: Any, name: str) -> dict[str, int]:
        if isinstance(raw, str):
            moment = Integer().read(raw, name)
            return {"gte": moment, "lte": moment}
        return self.bounds.read(raw, name)


# Removed with 2026-09-30.endive: https://docs.stripe.com/changelog/endive
METHOD_TYPES: dict[str, Field] = {
    "allowed_payment_method_types": ListOf(Text(blank=False, choices=("card",))),
    "payment_method_types": Removed(
        "payment_method_types_no_longer_supported", "allowed_payment_method_types"
    ),
}
EXPAND: dict[str, Field] = {"expand": ListOf(Text(blank=False, max=200))}
PAGE: dict[str, Field] = {
    **EXPAND,
    "limit": Integer(min=1, max=100),
    "starting_after": Text(blank=False),
    "ending_before": Text(blank=False),
}


def merge_metadata(old: dict[str, str], new: dict[str, str] | None) -> dict[str, str]:
    """What an object's metadata becomes when `new` is sent for it."""
    if new is None:
        return {}
    return {key: value for key, value in {**old, **new}.items() if value != ""}
