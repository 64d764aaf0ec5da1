"""What the counters were a while ago, so that GetUsage can be as late as AWS's.

One entry per counter, day and second, in memory: figures that a server finds at its start count as
known for ever. Nothing is kept for longer than the longest lag that can be asked for.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_LAG_SECONDS = 3_600


class Reading(NamedTuple):
    """A day's figures: requests used on it, and what remained (None: the plan has no quota)."""

    used: int
    remaining: int | None


@dataclass
class _DayLog:
    base: Reading | None
    entries: deque[tuple[int, Reading]] = field(default_factory=deque)


class History:
    def __init__(self) -> None:
        self._logs: dict[tuple[str, str, int], _DayLog] = {}
        self._swept_at = 0.0

    def note(
        self,
        counter: tuple[str, str, int],
        now: float,
        before: Reading | None,
        after: Reading,
    ) -> None:
        """A day's figures went from `before` (None: no row yet) to `after`."""
        if abs(now - self._swept_at) > MAX_LAG_SECONDS:
            self._sweep(now)
        log = self._logs.get(counter)
        if log is None:
            log = self._logs[counter] = _DayLog(before)
        second = int(now)
        if log.entries and log.entries[-1][0] == second:
            log.entries[-1] = (second, after)
            return
        log.entries.append((second, after))
        while log.entries[0][0] <= now - MAX_LAG_SECONDS - 1:
            log.base = log.entries.popleft()[1]

    def as_of(
        self, counter: tuple[str, str, int], moment: float, current: Reading | None
    ) -> Reading | None:
        """The day's figures at `moment`; `current` where nothing has changed since the start."""
        log = self._logs.get(counter)
        if log is None:
            return current
        for second, reading in reversed(log.entries):
            if second <= moment:
                return reading
        return log.base

    def _sweep(self, now: float) -> None:
        """Drop the counters whose last change nobody can ask to be without."""
        self._swept_at = now
        horizon = now - MAX_LAG_SECONDS - 1
        known = [counter for counter, log in self._logs.items() if log.entries[-1][0] <= horizon]
        for counter in known:
            del self._logs[counter]
