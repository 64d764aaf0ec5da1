"""The live meter's figures, fetched into the rows that pages and leases read.

Each poll reads the last minutes again, since their counts still grow, and one older minute in its
turn, for lines that came late. After a time away it catches up from where it stopped, a bounded
number of minutes a poll. When nobody calls, a poll is one read of how far the meter has come and
four cheap queries a minute.
"""

from datetime import UTC, datetime, timedelta

import httpx
import structlog
from django.conf import settings

from conversions.backend.live import LiveReach, live_reach, live_read
from tenants import selectors
from tenants.services import live_record
from tenants.services.live import MINUTES_TAKEN
from tenants.stages import api_base_url

log = structlog.get_logger(__name__)

MINUTE = timedelta(minutes=1)
LAST = 3  # minutes that every poll reads
LATE = 59  # older ones, in turn; a prime, so that any rhythm of polls comes to each of them
MOST = 60  # minutes that one poll catches up
PROBE_TIMEOUT = 10


def live_poll(*, now: datetime) -> int:
    """Bring our rows up to what the meter has counted; return how many of them changed.

    Raise BackendError: what was not read is read by the next poll.
    """
    reach = live_reach()  # first: whatever it speaks of is in the minutes that are read after it
    if reach is None:
        return 0
    missing, read_to, complete_since = _missing(reach, now)
    minutes = {*missing, *(_floor(now) - MINUTE * back for back in range(LAST)), _late(now)}
    counts = [each for minute in sorted(minutes) for each in live_read(minute=minute)]
    return live_record(
        counts=counts,
        # A line from the future says nothing about what came until now, nor one of a minute that
        # has not been read yet.
        newest_at=min(reach.newest_at, read_to),
        read_to=read_to,
        complete_since=complete_since,
        now=now,
    )


def _missing(reach: LiveReach, now: datetime) -> tuple[list[datetime], datetime, datetime]:
    """Return the next minutes to read, oldest first; up to when all are read after that, and since
    when.

    What the last poll read last was still growing, and is read again; so is, once the meter moves
    on, what it had not counted when it stood still. The first poll of all begins at midnight, for
    the sake of today's figures, or with the log.
    """
    meter = selectors.live_meter()
    if meter is None:
        first = max(
            _floor(now).replace(hour=0, minute=0), min(_floor(reach.oldest_at), _floor(now))
        )
        complete_since = max(first, reach.oldest_at)
    else:
        stands_still = reach.newest_at <= meter.newest_at
        known_to = meter.read_to if stands_still else min(meter.read_to, meter.newest_at)
        growing = _floor(known_to) - MINUTE * (LAST - 1)
        first = max(growing, _floor(now - MINUTES_TAKEN) + MINUTE)
        # A log that begins later than what we have read is another one.
        complete_since = max(meter.complete_since, reach.oldest_at)
        if first > growing:
            complete_since = max(complete_since, first)
    count = (_floor(now) - first) // MINUTE + 1
    minutes = [first + MINUTE * number for number in range(min(count, MOST))]
    return minutes, now if count <= MOST else minutes[-1] + MINUTE, complete_since


def _late(now: datetime) -> datetime:
    """Return the one of the older minutes whose turn it is: each has the same turn all its time."""
    turn = int(now.timestamp()) // settings.LIVE_POLL_SECONDS % LATE
    newest = _floor(now) - MINUTE * LAST
    return newest - MINUTE * ((int(newest.timestamp()) // 60 - turn) % LATE)


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def live_probe() -> None:
    """Send the sold API a call that needs no key and costs no quota.

    It is logged as any other, so the meter moves also when nobody calls: one that stands still is
    broken, not idle.
    """
    base_url = api_base_url()
    if not base_url:
        return  # nothing is deployed yet
    try:
        httpx.options(f"{base_url}/v1/ping", timeout=PROBE_TIMEOUT).raise_for_status()
    except httpx.HTTPError as error:
        log.warning("live.probe_failed", error=str(error))
