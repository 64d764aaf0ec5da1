"""Thresholds with hysteresis: each is told once when it is reached, and armed again below it.

A figure that falls by itself is noise, for usage only grows within a period: what counts is the
largest that was told. So a threshold lies above again only where it moved, as when more requests
were bought; it is told anew when it is reached anew. Of several that are reached at once only the
highest is told. Another period begins with all of them armed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice

import structlog

from tenants.ids import Ids
from tenants.models import AlertLevel, Tenant
from tenants.periods import Period

log = structlog.get_logger(__name__)

_BATCH = 1_000


@dataclass(frozen=True)
class Reading:
    """What a figure stands at in a period, of which limit if there is one, and at which values its
    thresholds, by name, lie.
    """

    period: Period
    value: int
    limit: int | None
    thresholds: Mapping[str, int]


@dataclass(frozen=True)
class Crossing:
    """A threshold that is to be told. `key` has its period, and how many were told in that."""

    threshold: str
    key: str


def percents_of(most: int, percents: list[int]) -> dict[str, int]:
    """Return where percents of a number lie: at the first whole one that makes them up."""
    return {str(percent): -(-percent * most // 100) for percent in percents}


def levels_tell(
    *,
    kind: str,
    tenant_ids: Iterable[int],
    read: Callable[[list[int]], Mapping[int, Reading]],
    tell: Callable[[int], bool],
) -> int:
    """Look at many tenants, a batch at a time; return how many thresholds were told.

    `read` returns what a batch stands at, `tell` locks a tenant whose levels have moved, reads it
    again, and says whether it was told. One tenant's failure stops no other's.
    """
    told = 0
    ids = iter(tenant_ids)
    while batch := list(islice(ids, _BATCH)):
        for pk in _moved(kind, read(batch)):
            try:
                told += tell(pk)
            except Exception:
                log.exception("alert.not_raised", tenant=pk, kind=kind)
    return told


def _moved(kind: str, readings: Mapping[int, Reading]) -> Iterator[int]:
    """Yield the tenants, by id, with something to tell or to arm again: one query for all."""
    rows = AlertLevel.objects.filter(kind=kind, tenant__in=Ids(readings))
    levels = {(row.tenant_id, row.period_start, row.period_end): row for row in rows}
    for pk, reading in readings.items():
        level = levels.get((pk, reading.period.start, reading.period.end)) or AlertLevel()
        if _reached(reading, level) != level.told:
            yield pk


def level_move(*, tenant: Tenant, kind: str, reading: Reading) -> Crossing | None:
    """Note which thresholds are reached; return the one to tell. The tenant must be locked, and
    read after that: so of two workers the second finds what the first has told.
    """
    start, end = reading.period.start, reading.period.end
    level, _is_new = AlertLevel.objects.get_or_create(
        tenant=tenant, kind=kind, period_start=start, period_end=end
    )
    reached = _reached(reading, level)
    is_told = bool(reached) and reached[-1] not in level.told
    level.told, level.most = reached, max(level.most, reading.value)
    level.crossings += is_told
    level.save()
    if not is_told:
        return None
    return Crossing(reached[-1], f"{kind}:{start}:{end}:{level.crossings}")


def alert_levels_prune(*, before: date) -> int:
    """Forget the thresholds of periods that ended before a day; return how many rows went."""
    deleted, _by_model = AlertLevel.objects.filter(period_end__lt=before).delete()
    return deleted


def _reached(reading: Reading, level: AlertLevel) -> list[str]:
    value = max(reading.value, level.most)
    in_order = sorted(reading.thresholds.items(), key=lambda threshold: threshold[1])
    return [name for name, at in in_order if value >= at]
