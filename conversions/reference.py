"""The sold API's reference: an OpenAPI document, made from the gateway's own template.

What is asked for, checked and answered is in the template's methods and models; their Metadata adds
what people read. `manage.py api_reference` writes the document beside the template, and gives the
template's deployment a name of its content: on AWS a deployment is a snapshot, and only a new one
brings a changed method to callers. A test compares both.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent / "serverless"
TEMPLATE = HERE / "template.yaml"
DOCUMENT = HERE / "openapi.json"

Json = dict[str, Any]
_TYPES = tuple(
    f"AWS::ApiGateway::{name}"
    for name in ("RestApi", "Resource", "Method", "Model", "RequestValidator", "GatewayResponse")
)
_DEPLOYMENT = re.compile(r"\bDeployment[0-9a-f]{12}\b")
_VERBS = {"ANY": ("get",)}  # what the portal's API lets a key do
_REFUSALS = {
    "400": "The call is not as it should be; `detail` says what is wrong.",
    "403": "There is no key, or it does not work.",
    "429": "Too fast (`throttled`, wait a second), or used up (`quota_exceeded`).",
    "500": "Something is wrong at our side.",
    "502": "A backend failed.",
    "503": "A backend cannot answer now. Try again in a moment.",
    "504": "A backend took too long.",
}
# What only some operations answer.
_ANSWERS = {"404": "There is no such thing.", "409": "This was asked for already."}


def document() -> Json:
    """Return the document as it was last written, without servers."""
    read: Json = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return read


def write() -> bool:
    """Write the document, and name the template's deployment; return whether either changed."""
    text = TEMPLATE.read_text(encoding="utf-8")
    named = _DEPLOYMENT.sub(deployment_name(text), text)
    drawn = rendered(text)
    changed = named != text or not DOCUMENT.exists() or drawn != DOCUMENT.read_text("utf-8")
    TEMPLATE.write_text(named, encoding="utf-8")
    DOCUMENT.write_text(drawn, encoding="utf-8")
    return changed


def rendered(template: str) -> str:
    """Return the document that a template makes, as text."""
    return json.dumps(drawn(resources(template)), indent=2, ensure_ascii=False) + "\n"


def deployment_name(template: str) -> str:
    """Return the logical id of the deployment that serves what a template says of the API."""
    served = {
        name: {key: value for key, value in resource.items() if key != "Metadata"}
        for name, resource in resources(template).items()
        if resource["Type"] in _TYPES
    }
    digest = hashlib.sha256(json.dumps(served, sort_keys=True).encode()).hexdigest()
    return f"Deployment{digest[:12]}"


def resources(template: str) -> dict[str, Json]:
    """Return a template's resources; functions such as !Ref are there in their long form."""
    found: dict[str, Json] = yaml.load(template, Loader=_Loader)["Resources"]  # noqa: S506  (it is safe)
    return found


def outputs(template: str) -> set[str]:
    """Return the names of a template's outputs."""
    return set(yaml.load(template, Loader=_Loader)["Outputs"])  # noqa: S506  (it is safe)


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> Json:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101  (YAML has no other kind)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


# --- Drawing ---


def drawn(of: dict[str, Json]) -> Json:
    """Return the OpenAPI 3.1 document of an API's resources."""
    api = next(r for r in of.values() if r["Type"] == "AWS::ApiGateway::RestApi")
    paths: dict[str, Json] = {}
    tags: dict[str, None] = {}
    for resource in of.values():
        about = resource.get("Metadata", {}).get("Reference")
        if resource["Type"] != "AWS::ApiGateway::Method" or about is None:
            continue
        tags[about["tag"]] = None
        path = _path(of, resource["Properties"]["ResourceId"]["Ref"])
        verb = resource["Properties"]["HttpMethod"]
        for name in _VERBS.get(verb, (verb.lower(),)):
            paths.setdefault(path.replace("+}", "}"), {})[name] = _operation(resource, about, path)
    # What is made comes before what can be asked of it.
    paths = dict(sorted(paths.items(), key=lambda item: item[0].count("/")))
    schemas = {
        r["Properties"]["Name"]: r["Properties"]["Schema"]
        for r in of.values()
        if r["Type"] == "AWS::ApiGateway::Model"
    }
    return {
        "openapi": "3.1.0",
        "info": api["Metadata"]["Reference"],
        "tags": [{"name": name} for name in tags],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": schemas,
        },
    }


def _path(of: dict[str, Json], name: str) -> str:
    properties = of[name]["Properties"]
    parent = properties["ParentId"]
    above = _path(of, parent["Ref"]) if "Ref" in parent else ""
    return f"{above}/{properties['PathPart']}"


def _operation(method: Json, about: Json, path: str) -> Json:
    properties = method["Properties"]
    operation: Json = {
        "operationId": properties["OperationName"],
        "tags": [about["tag"]],
        "summary": about["summary"],
        "description": about["description"],
        "responses": dict(_responses(properties)),
    }
    if parameters := list(_parameters(properties, about.get("parameters", {}), path)):
        operation["parameters"] = parameters
    for media_type, model in properties.get("RequestModels", {}).items():
        if media_type == "$default":  # what else is sent is held against it, too
            continue
        content = _content(media_type, model)
        content[media_type]["example"] = about["example"]
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(properties: Json, texts: dict[str, str | Json], path: str) -> Iterator[Json]:
    places = {"path": "path", "querystring": "query", "header": "header"}
    for full_name, required in properties.get("RequestParameters", {}).items():
        place, name = full_name.removeprefix("method.request.").split(".", 1)
        about = texts[name]
        about = about if isinstance(about, dict) else {"description": about}
        schema: Json = {"type": "string"}
        schema |= {key: value for key, value in about.items() if key != "description"}
        if place == "path" and f"{{{name}+}}" not in path:
            schema["pattern"] = "^[A-Za-z0-9-]+$"
        yield {
            "name": name,
            "in": places[place],
            "required": bool(required),
            "description": about["description"],
            "schema": schema,
        }


def _responses(properties: Json) -> Iterator[tuple[str, Json]]:
    own = {
        str(response["StatusCode"]): response.get("ResponseModels", {})
        for response in properties.get("MethodResponses", [])
    }
    is_proxy = not own  # it passes on what the backend answers, and how that looks
    if is_proxy:
        own = {"200": {}, "404": {}}
    problem = {} if is_proxy else {"application/json": {"Ref": "Problem"}}
    for status in sorted({*own, *_REFUSALS}):
        models = own.get(status) or ({} if status.startswith("2") else problem)
        content: Json = {}
        for media_type, model in models.items():
            content |= _content(media_type, model)
        text = _REFUSALS.get(status) or _ANSWERS.get(status, "Done.")
        yield status, {"description": text, **({"content": content} if content else {})}


def _content(media_type: str, model: Json) -> Json:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{model['Ref']}"}}}
