"""Token buckets: `rateLimit` tokens a second flow in, `burstLimit` is what a bucket holds.

In memory and on the monotonic clock: a restart fills every bucket, as nobody would notice on AWS.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """`rate` requests a second, at most `burst` at once. AWS fills in 0 for what is not given."""

    rate: float = 0.0
    burst: int = 0

    @property
    def capacity(self) -> float:
        """What the bucket holds: a rate without a burst still lets single requests through."""
        return float(max(self.burst, 1 if self.rate > 0 else 0))


class Bucket:
    def __init__(self, limit: Limit, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.limit = limit
        self._tokens = limit.capacity
        self._filled_at = now()

    def resize(self, limit: Limit) -> None:
        """Go on under a new limit with the tokens that are left; growth is not given as burst."""
        self._fill()
        self.limit = limit
        self._tokens = min(self._tokens, limit.capacity)

    def take(self) -> bool:
        self._fill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _fill(self) -> None:
        now = self._now()
        grown = self._tokens + (now - self._filled_at) * self.limit.rate
        self._tokens = min(grown, self.limit.capacity)
        self._filled_at = now
