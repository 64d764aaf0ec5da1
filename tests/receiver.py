"""A tenant's server: it takes webhooks, verifies them as a tenant would, and answers as told."""

import ssl
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook


class Receiver:
    """Listens on 127.0.0.1 while it is entered; `taken` are the requests, as (headers, body)."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answers: deque[tuple[int, dict[str, str], bytes]] = deque()
        self.on_request: Callable[[BaseHTTPRequestHandler], None] = lambda _: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken.append(({k.lower(): v for k, v in self.headers.items()}, body))
                receiver.on_request(self)
                answer = receiver.answers.popleft() if receiver.answers else (204, {}, b"")
                status, headers, text = answer
                with suppress(OSError):  # who asked has left
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """A client that does not trust the certificate hangs up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?a=1"

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        """Answer the next request like this. Without, it is 204."""
        self.answers.append((status, headers or {}, body))

    def verified(self, secret: str) -> list[Any]:
        """Return the bodies that were taken. Raise WebhookVerificationError for a forged one."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.taken]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
