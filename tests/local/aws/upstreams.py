"""An HTTP service of the world outside, for the gateway to call: real, tiny, on the loopback.

`/echo…` answers with what it was sent; other paths answer with something worth passing on.
"""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        path = self.path.partition("?")[0]
        if path == "/slow":
            self.server.released.wait()
        match path.split("/")[1:]:
            case ["cookies"]:
                self._send(200, b"{}", ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/"))
            case ["status", status]:
                self._send(int(status), b'{"status": %s}' % status.encode(), ("X-Kind", "status"))
            case ["html"]:
                self._send(200, b"<p>\xc3\xa9</p>", ("Content-Type", "text/html; charset=utf-8"))
            case ["gzip"]:
                self._send(200, gzip.compress(b'{"small": 1}'), ("Content-Encoding", "gzip"))
            case ["moved"]:
                self._send(302, b"", ("Location", "/echo"))
            case ["named"]:
                own = ("x-amzn-RequestId", "upstream's"), ("WWW-Authenticate", "Basic")
                self._send(401, b"{}", *own)
            case _:
                self._send(200, json.dumps(self._seen(body)).encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _answer  # noqa: N815

    def _seen(self, body: bytes) -> dict[str, Any]:
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        return {
            "method": self.command,
            "path": self.path,
            "headers": dict(headers),
            "pairs": headers,
            "body": body.decode("latin-1"),
        }

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers or (("Content-Type", "application/json"),):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    released: threading.Event


@contextmanager
def upstream_running() -> Iterator[str]:
    """Serve; yields the address, host and port. `/slow` answers when the server ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.released = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
