"""Lines on their way to CloudWatch Logs, off the way of the calls that they tell of.

Lines are collected and delivered once a second, and when the server stops. Where CloudWatch cannot
keep up, new lines are dropped, with one warning, as the real access log may lose some.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

logger = logging.getLogger(__name__)

MOST_LINES = 20_000  # that wait
BATCH_LINES = 100  # ministack holds calls up while it takes a batch and while they are counted
_SECONDS = 0.25


class Destination(NamedTuple):
    """A stream of a log group."""

    region: str
    group: str
    stream: str


class Line(NamedTuple):
    """`time` is in milliseconds since the epoch."""

    destination: Destination
    time: int
    text: str


class DeliveryFailed(Exception):
    """CloudWatch Logs did not take a batch."""


# Raises DeliveryFailed.
Put = Callable[[Destination, Sequence[Line]], Awaitable[None]]


class LogDelivery:
    def __init__(self, put: Put) -> None:
        self._put = put
        self._lines: deque[Line] = deque()
        self._is_dropping = False
        self._stopping = asyncio.Event()
        self._delivery: asyncio.Task[None] | None = None

    def add(self, line: Line) -> None:
        """Take a line; it is delivered within about a second."""
        if len(self._lines) >= MOST_LINES:
            if not self._is_dropping:
                logger.warning("CloudWatch Logs is slow: access log lines are dropped")
            self._is_dropping = True
            return
        self._lines.append(line)
        if self._delivery is None or self._delivery.done():
            self._delivery = asyncio.create_task(self._deliver())

    async def close(self) -> None:
        """Deliver what is left."""
        self._stopping.set()
        if self._delivery is not None:
            await self._delivery

    async def _deliver(self) -> None:
        """Deliver what comes, a second's lines at once, until nothing more does."""
        while self._lines:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _SECONDS)
            for _ in range(0, len(self._lines), BATCH_LINES):
                await self._deliver_batch()
        self._is_dropping = False

    async def _deliver_batch(self) -> None:
        batches: dict[Destination, list[Line]] = {}
        for _ in range(min(len(self._lines), BATCH_LINES)):
            line = self._lines.popleft()
            batches.setdefault(line.destination, []).append(line)
        for destination, lines in batches.items():
            try:
                await self._put(destination, lines)
            except DeliveryFailed as failure:
                logger.warning("%d lines for %s are lost: %s", len(lines), destination, failure)
            await asyncio.sleep(0)  # what is called in process may not have let anybody else run
