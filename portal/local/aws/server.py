"""Running the local AWS: as a program of its own, or in a thread of a test session.

The port is bound before ministack is imported, because ministack writes it into the addresses that
it hands out. One instance per process: ministack keeps its state in its modules.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

from portal.local.aws.environment import import_ministack
from portal.local.aws.saved import Saved
from portal.local.aws.store import Store

HOST = "127.0.0.1"
_PATIENCE_SECONDS = 60


class PortInUse(Exception):
    """The port is taken."""


def bind(port: int) -> socket.socket:
    """A listening socket on the loopback; port 0 picks a free one. Raises PortInUse."""
    # The protocol is named because asyncio sends without delay only where it knows that it is TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise PortInUse(f"port {port} cannot be used: {reason}") from error
    return listener


async def serve(
    listener: socket.socket,
    state_dir: Path,
    *,
    stop: Callable[[], Awaitable[object]],
    started: Callable[[], None],
) -> None:
    """Serve until `stop` returns, then save ministack's state.

    Calls `started` once requests are answered. Raises StateInUse and AlreadyImported.
    """
    with listener:
        store = Store(state_dir / "gateway.sqlite3")
        try:
            saved = Saved(state_dir / "ministack")
            saved.check()
            import_ministack(port=listener.getsockname()[1], state_dir=state_dir)
            await _serve(listener, store, saved, stop, started)
        finally:
            store.close()


async def _serve(
    listener: socket.socket,
    store: Store,
    saved: Saved,
    stop: Callable[[], Awaitable[object]],
    started: Callable[[], None],
) -> None:
    # hypercorn comes after ministack, which adjusts it.
    from hypercorn.config import Config  # noqa: PLC0415

    from portal.local.aws.app import LocalAwsApp  # noqa: PLC0415
    from portal.local.aws.http_server import serve_until  # noqa: PLC0415

    config = Config()
    config.errorlog = logging.getLogger("portal.local.aws.hypercorn")
    config.graceful_timeout = 1.0
    config.keep_alive_timeout = 75
    await serve_until(stop, LocalAwsApp(store, saved, started), listener, config)


class LocalAWS:
    """The local AWS in a thread, as a context manager.

    `url` is its endpoint. `port` 0 picks a free one; a second run in the same process must be given
    the first one's port and directory, and finds ministack's state as it was.
    """

    def __init__(self, *, port: int = 0, state_dir: Path) -> None:
        self._state_dir = state_dir
        self.port = port
        self._thread: threading.Thread | None = None
        self._ready: Future[None] = Future()
        self._stop: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Return once requests are answered. Raises what kept it from starting."""
        listener = bind(self.port)
        self.port = listener.getsockname()[1]
        self._ready = Future()
        self._thread = threading.Thread(target=self._run, args=(listener,), name="local-aws")
        self._thread.start()
        self._ready.result(_PATIENCE_SECONDS)

    def stop(self) -> None:
        """Save the state and end the thread."""
        if self._thread is not None:
            self._stop()
            self._thread.join(_PATIENCE_SECONDS)
            self._thread = None

    def _run(self, listener: socket.socket) -> None:
        async def main() -> None:
            stopping = asyncio.Event()
            loop = asyncio.get_running_loop()

            def stop() -> None:
                loop.call_soon_threadsafe(stopping.set)

            def started() -> None:
                self._ready.set_result(None)

            self._stop = stop
            await serve(listener, self._state_dir, stop=stopping.wait, started=started)

        try:
            asyncio.run(main())
        except Exception as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

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
