"""ministack, called in process: the only module that touches it.

It is asked through its own ASGI application, as an outside client would. Two of its functions are
also read directly, both with what a request's address means: they see every region, and they are
what ministack itself would go by, so that nothing it would serve can slip past our admission.

ministack reads its settings at import, so `environment.prepare` must have run before.
"""

from urllib.parse import unquote

import ministack.app
from ministack.services import apigateway_v1

from portal.local.aws.wire import Headers, Message, Receive, Response, Scope, Send


async def forward(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a connection over untouched."""
    await ministack.app.app(scope, receive, send)


def rest_api_region(api_id: str) -> str | None:
    """The region of a REST API, or None where no REST API has this id."""
    scope: tuple[str, str] | None = apigateway_v1.find_api_scope(api_id)
    return scope[1] if scope else None


def custom_domain_target(host: str, path: str) -> tuple[str, str, str] | None:
    """(api id, stage or "", path) that a custom domain's base path mapping leads to."""
    target: tuple[str, str, str] | None = apigateway_v1.resolve_base_path_mapping(host, path)
    return target


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

    await ministack.app.app(scope, receive, send)
    response.body = b"".join(chunks)
    return response
