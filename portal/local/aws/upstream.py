"""ministack, called in process: the only module that touches it.

It is asked through its own ASGI application, as an outside client would. Read directly is only

- what a request's address means: that sees every region, and is what ministack itself would go by,
  so that nothing it would serve can slip past our admission;
- which deployments there are, in every region;
- the stacks of its CloudFormation, which works on its services without calling us, and drops some
  of what a template says; its records have that resolved.

ministack reads its settings at import, so it is imported with the first call, and not with this
module: environment.py has imported it on our settings before.
"""

import importlib
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

from portal.local.aws.wire import Headers, Message, Receive, Response, Scope, Send


@cache
def _ministack() -> Any:
    return importlib.import_module("ministack.app")


@cache
def _apis() -> Any:
    return importlib.import_module("ministack.services.apigateway_v1")


async def forward(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a connection over untouched."""
    await _ministack().app(scope, receive, send)


def rest_api_region(api_id: str) -> str | None:
    """The region of a REST API, or None where no REST API has this id."""
    scope: tuple[str, str] | None = _apis().find_api_scope(api_id)
    return scope[1] if scope else None


def custom_domain_target(host: str, path: str) -> tuple[str, str, str] | None:
    """(api id, stage or "", path) that a custom domain's base path mapping leads to."""
    target: tuple[str, str, str] | None = _apis().resolve_base_path_mapping(host, path)
    return target


def deployments() -> dict[tuple[str, str], str]:
    """The region of every deployment of a REST API, by the ids of both."""
    return {
        (api_id, deployment_id): region
        for (_, region, api_id), found in _apis()._deployments_v1.all_items()
        for deployment_id in found
    }


def stack_resources(resource_type: str, api_id: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What stacks made for an API, of a type: ids, and properties with references resolved."""
    for stack in _stacks():
        if stack["StackStatus"] == "DELETE_COMPLETE":
            continue
        for resource in stack["_resources"].values():
            properties = resource.get("Properties") or {}
            if resource.get("ResourceType") == resource_type and (
                properties.get("RestApiId") == api_id
            ):
                yield resource["PhysicalResourceId"], properties


def _stacks() -> list[dict[str, Any]]:
    """ministack loads its CloudFormation with the first call to it, or with its saved state."""
    module = sys.modules.get("ministack.services.cloudformation")
    return [stack for _, stack in module._stacks.all_items()] if module else []


async def call(
    method: str,
    path: str,
    *,
    service: str,
    region: str,
    query: str = "",
    headers: Headers | None = None,
    body: bytes = b"",
) -> Response:
    """Call an AWS API of ministack's. `path` is percent-encoded where it must be."""
    credential = f"test/20200101/{region}/{service}/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"authorization", authorization.encode()),
            (b"content-length", b"%d" % len(body)),
            *(headers or []),
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
    response = Response(500)
    chunks: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await _ministack().app(scope, receive, send)
    response.body = b"".join(chunks)
    return response
