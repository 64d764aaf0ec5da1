"""Request validation: has a call the parameters that a method requires, and a body like its model?

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
The model is the one for the request's content type, JSON without one; a content type without a
model has that of `$default`, and is not looked at where there is none. Models are JSON schemas,
draft 4. What is wrong is worded as AWS words it; where it is nested, its place goes before, which
AWS leaves out.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4

from portal.local.aws.gateway_responses import (
    API_CONFIGURATION_ERROR,
    BAD_REQUEST_BODY,
    BAD_REQUEST_PARAMETERS,
    GatewayResponse,
)
from portal.local.aws.integrations import Call
from portal.local.aws.integrations.templates import media_type
from portal.local.aws.mappings import values_of

Json = Mapping[str, Any]
_DEFAULT = "$default"  # the model for every content type that has none
_MOST_ERRORS = 20
_MOST_CHARACTERS = 200


class Validation:
    """What one method demands. `bodies` are validators by media type."""

    def __init__(self, parameters: list[str], bodies: Mapping[str, Draft4Validator]) -> None:
        self._parameters = parameters
        self._bodies = bodies

    def refusal(self, call: Call) -> GatewayResponse | None:
        """Why the call is refused; None where nothing is wrong with it. Parameters come first."""
        if missing := [name for name in self._parameters if not _is_given(call, name)]:
            names = ", ".join(name.rpartition(".")[2] for name in missing)
            message = f"Missing required request parameters: [{names}]"
            return replace(BAD_REQUEST_PARAMETERS, message=message, validation_error=message)
        if not self._bodies:
            return None
        content_type = media_type(call.request.header(b"content-type"))
        validator = self._bodies.get(content_type) or self._bodies.get(_DEFAULT)
        if validator is None:
            return None
        try:
            wrong = _wrong(validator, call.request.body)
        except Unresolvable:
            return API_CONFIGURATION_ERROR
        return replace(BAD_REQUEST_BODY, validation_error=f"[{wrong}]") if wrong else None


class Validations:
    """The models and request validators of an API, from which methods take what they name."""

    def __init__(self, api_id: str, models: Iterable[Json], validators: Iterable[Json]) -> None:
        self._validators = {each["id"]: each for each in validators}
        schemas = {each["name"]: _schema(each) for each in models}
        self._schemas = {name: schema for name, schema in schemas.items() if schema is not None}
        # So a model refers to another.
        address = f"https://apigateway.amazonaws.com/restapis/{api_id}/models/"
        self._registry: Registry[Any] = Registry().with_resources(
            (address + name, Resource.from_contents(schema, default_specification=DRAFT4))
            for name, schema in self._schemas.items()
        )

    def of(self, method: Json) -> Validation | None:
        """What a method demands (as GetMethod gives it); None where that is nothing."""
        validator = self._validators.get(method.get("requestValidatorId") or "", {})
        parameters: list[str] = []
        if validator.get("validateRequestParameters"):
            given = method.get("requestParameters") or {}
            parameters = [name for name, required in given.items() if required]
        bodies = {}
        if validator.get("validateRequestBody"):
            bodies = {
                media_type(content_type): self._validator(self._schemas[model])
                for content_type, model in (method.get("requestModels") or {}).items()
                if model in self._schemas
            }
        return Validation(parameters, bodies) if parameters or bodies else None

    def _validator(self, schema: Any) -> Draft4Validator:
        return Draft4Validator(
            schema, registry=self._registry, format_checker=Draft4Validator.FORMAT_CHECKER
        )


def _schema(model: Json) -> Any:
    """A model's schema; None where it has none that can be used."""
    try:
        schema = json.loads(model.get("schema") or "")
        Draft4Validator.check_schema(schema)
    except (ValueError, SchemaError):
        return None
    return schema


def _is_given(call: Call, source: str) -> bool:
    return any(value.strip() for value in values_of(call, source))


def _wrong(validator: Draft4Validator, body: bytes) -> str:
    """What is wrong with a body, in words; nothing where nothing is."""
    try:
        document = json.loads(body)
        errors = list(islice(validator.iter_errors(document), _MOST_ERRORS))
    except (ValueError, RecursionError):
        return "the request body is no JSON" if body else "there is no request body"
    # A property that is missing is an error each; the text tells all of an object's at once.
    return ", ".join(dict.fromkeys(_described(error) for error in errors))


def _described(error: ValidationError) -> str:
    place = "/".join(str(step) for step in error.absolute_path)
    wording = _WORDINGS.get(str(error.validator))
    text = wording(error) if wording else error.message
    return f"/{place}: {text}" if place else text


def _missing(error: ValidationError) -> str:
    required: Any = error.validator_value
    given: Any = error.instance
    names = sorted(name for name in required if name not in given)
    return f"object has missing required properties ({_json(names)})"


def _surplus(error: ValidationError) -> str:
    schema: Any = error.schema
    given: Any = error.instance
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    names = sorted(
        name
        for name in given
        if name not in known and not any(re.search(pattern, name) for pattern in patterns)
    )
    return f"object instance has properties which are not allowed by the schema: {_json(names)}"


def _mistyped(error: ValidationError) -> str:
    allowed: Any = error.validator_value
    return (
        f"instance type ({_type(error.instance)}) does not match any allowed primitive type"
        f" (allowed: {_json([allowed] if isinstance(allowed, str) else sorted(allowed))})"
    )


def _length(error: ValidationError) -> str:
    """Of a text or a list, against its least or most."""
    given: Any = error.instance
    kind = "string" if isinstance(given, str) else "array"
    side = "short" if str(error.validator).startswith("min") else "long"
    bound = "required minimum" if side == "short" else "maximum allowed"
    return f"{kind} is too {side} (length: {len(given)}, {bound}: {error.validator_value})"


_WORDINGS: dict[str, Callable[[ValidationError], str]] = {
    "required": _missing,
    "additionalProperties": _surplus,
    "type": _mistyped,
    "minLength": _length,
    "maxLength": _length,
    "minItems": _length,
    "maxItems": _length,
    "pattern": lambda error: (
        f"ECMA 262 regex {_json(error.validator_value)} does not match input string"
        f" {_json(error.instance)}"
    ),
    "enum": lambda error: (
        f"instance value ({_json(error.instance)}) not found in enum"
        f" (possible values: {_json(error.validator_value)})"
    ),
    "minimum": lambda error: (
        "numeric instance is lower than the required minimum"
        f" (minimum: {_json(error.validator_value)}, found: {_json(error.instance)})"
    ),
    "maximum": lambda error: (
        "numeric instance is greater than the required maximum"
        f" (maximum: {_json(error.validator_value)}, found: {_json(error.instance)})"
    ),
    "uniqueItems": lambda error: "array must not contain duplicate elements",
}


def _type(value: object) -> str:
    names = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    return names.get(type(value), "array" if isinstance(value, list) else "object")


def _json(value: object) -> str:
    """A value as JSON, cut where nobody would read on."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "…"
