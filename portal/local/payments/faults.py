"""Failures on demand: an operation fails before or after it took effect, a number of times.

`drop` closes the connection without an answer, `error` answers 500, `hold` keeps the answer back
until the holds are released (a slow Stripe, or two requests at the same time).
"""

import threading
from dataclasses import dataclass
from typing import Literal

from .errors import ApiError
from .http import Dropped

When = Literal["before", "after"]
How = Literal["drop", "error", "hold"]


@dataclass
class Fault:
    operation: str
    when: When
    times: int
    how: How


class Faults:
    """The failures that are still to come. Not kept over a restart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._release = threading.Event()
        self.holding = 0

    def add(self, fault: Fault) -> None:
        with self._lock:
            if self._release.is_set():
                self._release = threading.Event()
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget all faults and let go what is held."""
        with self._lock:
            self._faults.clear()
            self._release.set()

    def strike(self, operation: str, when: When) -> None:
        """Fail here, if somebody asked for it. Raises Dropped or ApiError (500)."""
        with self._lock:
            fault = next(
                (f for f in self._faults if f.operation == operation and f.when == when), None
            )
            if fault is None:
                return
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
            release = self._release
        if fault.how == "hold":
            self._hold(release)
        elif fault.how == "drop":
            raise Dropped
        else:
            raise ApiError("An unknown error occurred.", status=500, type="api_error")

    def _hold(self, release: threading.Event) -> None:
        with self._lock:
            self.holding += 1
        try:
            release.wait()
        finally:
            with self._lock:
                self.holding -= 1
