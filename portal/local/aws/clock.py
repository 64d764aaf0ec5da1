"""The layer's clock: real, unless a test stands it somewhere else, from where it runs on."""

import time
from datetime import datetime


class Clock:
    def __init__(self) -> None:
        self._offset = 0.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset

    def set(self, now: datetime | None) -> None:
        """Go on from `now` (aware), or from the real time when it is None."""
        self._offset = 0.0 if now is None else now.timestamp() - time.time()
