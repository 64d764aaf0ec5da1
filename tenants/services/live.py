"""The live meter's figures into our rows: minutes as they are read, days as the sum of them.

Figures are absolute and only grow, so a reading may come twice, late, or beside another one. The
meter's row is locked first, which makes one recorder wait for another: a day is raised by what its
minutes grew, exactly once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import structlog
from django.db import transaction

from tenants import queue
from tenants.live import LiveCounts
from tenants.models import ApiKeyVersion, LiveDay, LiveMeter, LiveMinute
from tenants.selectors.keys import tenants_of_versions

log = structlog.get_logger(__name__)

Raises = dict[tuple[int, date], Counter[str]]  # of a version's day, by LiveDay's fields

MINUTES_KEPT = timedelta(days=4)
# A minute that was pruned must not be read again: it would raise its day a second time.
MINUTES_TAKEN = MINUTES_KEPT - timedelta(days=1)
DAYS_KEPT = timedelta(days=100)  # longer than GetUsage promises to tell of a day
COUNTED = (
    "requests", "client_errors", "server_errors", "throttled", "quota_refused", "other_refused",
    "latency_ms", "latency_buckets", "bytes",
)  # fmt: skip


@transaction.atomic
def live_record(
    *,
    counts: Iterable[LiveCounts],
    newest_at: datetime,
    read_to: datetime,
    complete_since: datetime,
    now: datetime,
) -> int:
    """Take in what was read of the meter; return how many minutes of ours that changed.

    `newest_at` is the meter's newest line as of before the reading, `read_to` the moment up to
    which all minutes have been read by now, since `complete_since` at least. Keys that are not ours
    are left out.
    """
    meter = _locked(newest_at=newest_at, read_to=read_to, complete_since=complete_since)
    changed, raises = _changes(_newest_rows(counts, since=now - MINUTES_TAKEN))
    LiveMinute.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["version", "minute", "route"],
        update_fields=COUNTED,
        batch_size=500,
    )
    _days_raise(raises)
    if raises:  # a sweep finds what a lost task leaves
        ids = tenants_of_versions(versions={version_id for version_id, _day in raises})
        queue.on_commit("tenants.tasks.quota_alerts", ids, queue="default")
    meter.newest_at = max(meter.newest_at, newest_at)
    meter.read_to = max(meter.read_to, read_to)
    meter.complete_since = max(meter.complete_since, complete_since)
    meter.save()
    return len(changed)


def _locked(**first: datetime) -> LiveMeter:
    LiveMeter.objects.get_or_create(pk=LiveMeter.ONLY, defaults=first)
    return LiveMeter.objects.select_for_update().get(pk=LiveMeter.ONLY)


def _newest_rows(counts: Iterable[LiveCounts], *, since: datetime) -> list[LiveMinute]:
    """Return what was read as rows of our versions, each minute and route once."""
    taken = [each for each in counts if each.minute >= since]
    versions = dict(
        ApiKeyVersion.objects.filter(
            gateway_id__in={each.gateway_id for each in taken}
        ).values_list("gateway_id", "pk")
    )
    rows: dict[tuple[int, datetime, str], LiveMinute] = {}
    unknown: set[str] = set()
    for each in taken:
        version_id = versions.get(each.gateway_id)
        if version_id is None:
            unknown.add(each.gateway_id)
            continue
        place = (version_id, each.minute, each.route)
        row = LiveMinute(
            version_id=version_id,
            minute=each.minute,
            route=each.route,
            **{name: getattr(each, name) for name in COUNTED},
        )
        if place not in rows or _calls(rows[place]) < _calls(row):
            rows[place] = row
    if unknown:
        log.info("live.unknown_keys", count=len(unknown))
    return list(rows.values())


def _calls(row: LiveMinute) -> int:
    return row.requests + row.throttled + row.quota_refused + row.other_refused


def _changes(rows: list[LiveMinute]) -> tuple[list[LiveMinute], Raises]:
    """Return the rows that say more than ours do, and by how much they raise which days."""
    stored = {
        (row.version_id, row.minute, row.route): row
        for row in LiveMinute.objects.filter(minute__in={row.minute for row in rows})
    }
    changed: list[LiveMinute] = []
    raises: Raises = defaultdict(Counter)
    for row in rows:
        before = stored.get((row.version_id, row.minute, row.route), LiveMinute())
        if _calls(row) > _calls(before):
            changed.append(row)
            raised = raises[row.version_id, row.minute.astimezone(UTC).date()]
            raised.update(_of_day(row))
            raised.subtract(_of_day(before))
    return changed, raises


def _of_day(row: LiveMinute) -> dict[str, int]:
    return {
        "requests": row.requests,
        "throttled": row.throttled,
        "refused": row.quota_refused + row.other_refused,
    }


def _days_raise(raises: Raises) -> None:
    stored = LiveDay.objects.filter(
        version__in={version_id for version_id, _ in raises}, day__in={day for _, day in raises}
    )
    for row in stored:
        raised = raises.get((row.version_id, row.day))
        if raised is not None:
            raised.update(requests=row.requests, throttled=row.throttled, refused=row.refused)
    LiveDay.objects.bulk_create(
        [
            LiveDay(version_id=version_id, day=day, **figures)
            for (version_id, day), figures in raises.items()
        ],
        update_conflicts=True,
        unique_fields=["version", "day"],
        update_fields=["requests", "throttled", "refused"],
        batch_size=500,
    )


def live_prune(*, now: datetime) -> int:
    """Forget old minutes, and days that no page shows any more; return how many rows went.

    Whole days of minutes go at once, so that a day is either all there or all gone.
    """
    first_day = (now - MINUTES_KEPT).astimezone(UTC).date()
    minutes, _ = LiveMinute.objects.filter(
        minute__lt=datetime.combine(first_day, time(), tzinfo=UTC)
    ).delete()
    days, _ = LiveDay.objects.filter(day__lt=(now - DAYS_KEPT).astimezone(UTC).date()).delete()
    return minutes + days
