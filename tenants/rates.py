"""How often somebody may do something: counted in the cache, in windows that begin anew.

Without its cache the portal counts nothing and lets pass: a limit is a courtesy to others, and no
reason to stop whoever keeps it.
"""

import time
from dataclasses import dataclass

from django.core.cache import cache
from redis.exceptions import RedisError


@dataclass(frozen=True)
class Left:
    """How many more calls a window has, and in how many seconds the next one begins."""

    calls: int
    seconds: int


@dataclass(frozen=True)
class Rate:
    """So many calls in so many seconds, for each of those whom it is asked about."""

    name: str
    calls: int
    seconds: int

    def count(self, whom: str) -> Left:
        """Take one call; return what is left after it, which is negative where it was too many."""
        key, seconds = self._window(whom)
        try:
            cache.add(key, 0, timeout=self.seconds)
            used = cache.incr(key)
        except (RedisError, ValueError):  # ValueError: the window ended in between
            used = 1
        return Left(self.calls - used, seconds)

    def _window(self, whom: str) -> tuple[str, int]:
        now = int(time.time())
        number, into = divmod(now, self.seconds)
        return f"rate:{self.name}:{whom}:{number}", self.seconds - into
