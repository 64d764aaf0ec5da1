"""Ids of rows that are written by the thousand."""

import secrets
import time
from uuid import UUID


def uuid7() -> UUID:
    """Return a UUID that begins with the time (RFC 9562, 5.7). Python has one from 3.14 on.

    An index of them grows at its end. Of random ones each insert is somewhere else in it, and takes
    longer the more there are: that was half of what a tenant's past cost.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = milliseconds << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random & (1 << 62) - 1
    return UUID(int=value)
