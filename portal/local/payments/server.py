"""The server in a thread: `LocalPayments`, and the HTTP around it.

Plain `http.server` with a thread per connection: requests are short and take turns on the store's
lock, and nothing else is needed to run it. It listens on 127.0.0.1 only.
"""

import logging
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .api import Api
from .control import Control
from .faults import Faults
from .hosted.site import Site
from .http import Dropped, Request, Response, json_response
from .store import Store
from .webhooks import Courier, check_url

log = logging.getLogger(__name__)

_MAX_BODY = 1_000_000


class LocalPayments:
    """A Stripe-compatible server on 127.0.0.1; a context manager that starts and stops it.

    `port` 0 takes a free one; `url` tells which. `webhook_url` may be set at any time, also later
    when the receiver's port is known; events are queued for it from then on. Raises OSError if the
    port is taken, ValueError if there is a webhook URL but no secret.
    """

    def __init__(
        self,
        *,
        secret_key: str,
        state_dir: Path | str,
        port: int = 0,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        merchant: str = "Sekisho",
    ) -> None:
        if not secret_key:
            raise ValueError("The local payments need a secret key")
        self._port = port
        self._state_dir = Path(state_dir)
        self._secret_key = secret_key
        self._webhook_secret = webhook_secret
        self._merchant = merchant
        self._webhook_url: str | None = None
        self._server: _Server | None = None
        self.webhook_url = webhook_url

    @property
    def url(self) -> str:
        """Such as http://127.0.0.1:12111; the SDK's `base_addresses["api"]`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def webhook_url(self) -> str | None:
        return self._webhook_url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        if url is not None and not self._webhook_secret:
            raise ValueError("A webhook URL needs a webhook secret to sign with")
        self._webhook_url = check_url(url) if url is not None else None
        if self._server is not None:
            self._server.app.set_webhook_url(self._webhook_url)

    def start(self) -> None:
        self._server = _Server(self._port)  # first: a taken port must leave no trace
        self._port = self._server.server_address[1]
        app = _App(self._state_dir, self._secret_key, self._webhook_secret, self._merchant)
        self._server.app = app
        app.start(self.url, self._webhook_url)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="payments", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered and close all connections; the rest stays on file."""
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.app.faults.clear()
        self._server.hang_up()
        self._server.server_close()
        self._server.app.stop()
        self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _App:
    """The parts of a running server, and who of them answers what."""

    def __init__(
        self, state_dir: Path, secret_key: str, webhook_secret: str | None, merchant: str
    ) -> None:
        self.faults = Faults()
        self._store = Store(state_dir)
        self._courier = Courier(self._store, webhook_secret or "")
        self._api = Api(self._store, self.faults, secret_key)
        self._site = Site(self._store, self.faults, merchant)
        self._control = Control(self._store, self.faults, self._courier)

    def start(self, origin: str, webhook_url: str | None) -> None:
        self._store.origin = origin
        self.set_webhook_url(webhook_url)
        self._courier.start()

    def stop(self) -> None:
        self._courier.stop()
        self._store.close()

    def set_webhook_url(self, url: str | None) -> None:
        self._courier.url = url
        self._store.delivering = url is not None

    def answer(self, request: Request) -> Response:
        if request.path.startswith("/v1/"):
            return self._api.answer(request)
        if request.path.startswith("/_sekisho/"):
            return self._control.answer(request)
        return self._site.answer(request)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 128
    app: _App

    def __init__(self, port: int) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End idle kept-alive connections; what is being answered is still answered."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                log.debug("a connection was already closed")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sekisho-payments"
    sys_version = ""
    wbufsize = -1  # one segment per answer
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        length = self.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            self.close_connection = True
            self._send(json_response(413, {"error": {"message": "The request is too large."}}))
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(length))
        request = Request(self.command, path, query, headers, body)
        try:
            response = self.server.app.answer(request)
        except Dropped:
            log.info("%s %s dropped", self.command, path)
            self.close_connection = True
            return
        except Exception:
            log.exception("%s %s failed", self.command, path)
            error = {"type": "api_error", "message": "The local payments failed; see their log."}
            response = json_response(500, {"error": error})
        log.info("%s %s %s", self.command, path, response.status)
        self._send(response)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _handle  # noqa: N815

    def _send(self, response: Response) -> None:
        try:
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)
