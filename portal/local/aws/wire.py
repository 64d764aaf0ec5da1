"""Requests and responses as the layer sees them: plain values, read from and written to ASGI.

Nothing here knows AWS. A body is read whole before anything is decided, because hypercorn closes a
connection whose request body was left unread.
"""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The caller closed the connection before its request was complete."""


@dataclass
class Request:
    """One HTTP request. Header names are lower case, as ASGI gives them."""

    method: str
    path: str
    raw_path: str
    query_string: bytes
    headers: Headers
    client_ip: str
    body: bytes = b""

    def header(self, name: bytes) -> str | None:
        """The first value of a header (name in lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.query_string.decode("latin-1"), keep_blank_values=True)

    def query_value(self, name: str) -> str | None:
        values = self.query.get(name)
        return values[0] if values else None


@dataclass
class Response:
    """One HTTP response; `content-length` is added when it is sent."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)

    @classmethod
    def of_json(cls, status: int, document: object, headers: Headers | None = None) -> "Response":
        content_type = (b"content-type", b"application/json")
        body = json.dumps(document, separators=(",", ":")).encode()
        return cls(status, body, [content_type, *(headers or [])])

    def header(self, name: bytes) -> str | None:
        for key, value in self.headers:
            if key.lower() == name:
                return value.decode("latin-1")
        return None


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read one request with its body. Raises ClientGone."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    client = scope.get("client")
    raw_path = scope.get("raw_path")
    return Request(
        method=scope["method"],
        path=scope["path"],
        raw_path=raw_path.decode("latin-1") if raw_path else scope["path"],
        query_string=scope.get("query_string", b""),
        headers=list(scope["headers"]),
        client_ip=client[0] if client else "127.0.0.1",
        body=b"".join(chunks),
    )


@lru_cache(maxsize=1)
def _http_date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


async def send_response(send: Send, response: Response) -> None:
    headers = [
        *response.headers,
        (b"content-length", b"%d" % len(response.body)),
        (b"date", _http_date(int(time.time()))),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def send_broken(send: Send) -> None:
    """Announce a body and send only its start: the caller sees the connection close half-way."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"64")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
