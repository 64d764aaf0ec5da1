"""hypercorn, with a cheaper idea of an idle connection.

hypercorn starts a task with a timer after every answer, to close the connection should nothing
follow, and cancels it with the next request: that is a quarter of what a small call costs. Here a
connection notes since when it is idle, and one task, as long as it lives, looks now and then.
Everything else is hypercorn's: protocols, WebSockets, lifespan, and what ministack adjusts in them.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import cast

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Event, Updated
from hypercorn.typing import ASGIFramework, LifespanState

from portal.local.aws.wire import AsgiApp


class _Connection(TCPServer):
    _idle_since: float | None = None  # None: a request is being answered

    async def run(self) -> None:
        self._idle_since = self.loop.time()
        await super().run()

    async def protocol_send(self, event: Event) -> None:
        if not isinstance(event, Updated):
            await super().protocol_send(event)
            return
        self._idle_since = self.loop.time() if event.idle else None
        if event.idle and self.context.terminated.is_set():
            await super().protocol_send(event)

    async def _idle_timeout(self) -> None:
        """Close the connection when it has been idle too long, or is idle when the server stops."""
        patience = self.config.keep_alive_timeout
        while True:
            since = self._idle_since
            left = patience if since is None else since + patience - self.loop.time()
            if left <= 0:
                break
            try:
                await asyncio.wait_for(self.context.terminated.wait(), left)
            except TimeoutError:
                continue
            if self._idle_since is None:
                return  # closed when the answer is complete, by protocol_send
            break
        await asyncio.shield(self._initiate_server_close())


async def serve_until(
    stop: Callable[[], Awaitable[object]],
    app: AsgiApp,
    listener: socket.socket,
    config: Config,
) -> None:
    """Serve an ASGI application on a listening socket until `stop` returns.

    Then answers under way get `config.graceful_timeout` seconds, and the application shuts down.
    """
    loop = asyncio.get_running_loop()
    wrapped = ASGIWrapper(cast("ASGIFramework", app))
    context = WorkerContext(None)
    state: LifespanState = {}
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            connections.add(task)
            task.add_done_callback(connections.discard)
        await _Connection(wrapped, loop, config, context, state, reader, writer)

    lifespan = Lifespan(wrapped, config, loop, state)
    lifespan_task = loop.create_task(lifespan.handle_lifespan())
    try:
        await lifespan.wait_for_startup()
        if lifespan_task.done():
            await lifespan_task  # it ended before it served: raises what ended it
        server = await asyncio.start_server(connected, sock=listener, backlog=config.backlog)
        await stop()
        server.close()
        await context.terminated.set()
        await _finish(connections, config.graceful_timeout)
        await lifespan.wait_for_shutdown()
    finally:
        lifespan_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await lifespan_task


async def _finish(connections: set[asyncio.Task[None]], seconds: float) -> None:
    """Wait for the connections to end, and cancel those that do not."""
    if not connections:
        return
    _, pending = await asyncio.wait(set(connections), timeout=seconds)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
