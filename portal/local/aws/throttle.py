"""Token buckets: `rateLimit` tokens a second flow in, `burstLimit` is what a bucket holds.

In memory and on the monotonic clock: a restart fills every bucket, as nobody would notice on AWS.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limit:
    """`rate` requests a second, at most `burst` at once. AWS fills in 0 for what is not given."""

    rate: float = 0.0
    burst: int = 0

    @property
    def capacity(self) -> float:
        """What the bucket holds: a rate without a burst still lets single requests through."""
        return float(max(self.burst, 1 if self.rate > 0 else 0))


def method_name(written: str) -> str:
    """A method as settings and usage plans write it, always as "/path/METHOD".

    Its first slash may be missing or doubled, and any may be `~1`, as stacks and patches have it.
    """
    return "/" + written.replace("~1", "/").replace("~0", "~").strip("/")


class MethodLimits:
    """The throttles in a stage's method settings: each method's own, or what `*/*` says. Every
    method then has that much to itself, from all callers together."""

    def __init__(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        limits = {method_name(key): limit for key, it in settings.items() if (limit := _limit(it))}
        self._default = limits.pop(_ALL, None)
        self._own = limits

    def of(self, method: str) -> Limit | None:
        """The limit of a method, "/path/METHOD"; None where there is none."""
        return self._own.get(method, self._default)


_ALL = "/*/*"


def _limit(settings: Mapping[str, Any]) -> Limit | None:
    """AWS fills in the account's limits where only other settings were made."""
    if "throttlingRateLimit" not in settings and "throttlingBurstLimit" not in settings:
        return None
    rate = float(settings.get("throttlingRateLimit") or 0)
    burst = int(settings.get("throttlingBurstLimit") or 0)
    return Limit(rate, burst)


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
