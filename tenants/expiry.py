"""When people are told that a key expires, and on which day it last works."""

from datetime import UTC, date, datetime, timedelta

TOLD_BEFORE = (1, 7)  # days, the nearest first


def told_days(expires_at: datetime | None, now: datetime) -> int | None:
    """Return which of the days of TOLD_BEFORE has come; None: none has, or it never expires."""
    if expires_at is None:
        return None
    come = [days for days in TOLD_BEFORE if expires_at - now <= timedelta(days=days)]
    return min(come, default=None)


def last_day(expires_at: datetime) -> date:
    """Return the last UTC day on which a key works that expires at a moment."""
    return (expires_at - timedelta.resolution).astimezone(UTC).date()
