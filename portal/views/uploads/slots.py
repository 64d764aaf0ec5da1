"""How many archives a process sends at once: each takes one of its threads for as long as somebody
downloads, however slowly.

A tenant has one of them at most, so that no tenant's downloads take them all.
"""

import threading

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
