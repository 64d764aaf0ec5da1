"""A webhook's other end: keeps what it was sent, and answers as it is told."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, TypeVar

import stripe

SECRET = "whsec_for_tests"
PATIENCE = 60.0

T = TypeVar("T")


def eventually(look: Callable[[], T]) -> T:
    """What `look` returns once that is true; fails after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.01)
    return found


class Receiver:
    """`requests` holds (body, signature) as they came; `status` is what is answered."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, str]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((body, self.headers["Stripe-Signature"]))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhooks/stripe"

    def events(self, type: str | None = None) -> list[stripe.Event]:
        """What arrived, verified by the SDK, in the order of arrival."""
        events = [
            stripe.Webhook.construct_event(body, signature, SECRET)
            for body, signature in list(self.requests)
        ]
        return [event for event in events if type is None or event.type == type]

    def wait_for(self, type: str, times: int = 1) -> list[stripe.Event]:
        def arrived() -> list[stripe.Event] | None:
            found = self.events(type)
            return found if len(found) >= times else None

        return eventually(arrived) or []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
