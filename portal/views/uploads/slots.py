"""How many archives a process sends at once: each takes one of its threads for as long as somebody
downloads, however slowly.

A tenant has one of them at most, so that no tenant's downloads take them all.
"""

import threading
from collections.abc import Generator, Iterator

MOST = 3  # of the four threads that `make run` gives a process: one is left for pages


class Slots:
    """Who holds one."""

    def __init__(self) -> None:
        self._holders: set[int] = set()
        self._lock = threading.Lock()

    def take(self, holder: int) -> bool:
        """Give the holder a slot; return False where they have one, or all are taken."""
        with self._lock:
            if holder in self._holders or len(self._holders) >= MOST:
                return False
            self._holders.add(holder)
            return True

    def release(self, holder: int) -> None:
        """Take the holder's slot back; from one without any, nothing."""
        with self._lock:
            self._holders.discard(holder)


class Sent:
    """An archive on its way. The server closes it, be it whole, broken off, or never begun."""

    def __init__(self, pieces: Generator[bytes, None, None], slots: Slots, holder: int) -> None:
        self._pieces, self._slots, self._holder = pieces, slots, holder
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """End it, and give its slot back; again does nothing."""
        try:
            self._pieces.close()
        finally:
            if self._is_open:
                self._is_open = False
                self._slots.release(self._holder)
