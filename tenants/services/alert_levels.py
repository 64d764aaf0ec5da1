"""Thresholds with hysteresis: each is told once when it is reached, and armed again below it.

A figure that falls by itself is noise, for usage only grows within a period: what counts is the
largest that was told. So a threshold lies above again only where it moved, as when more requests
were bought; it is told anew when it is reached anew. Of several that are reached at once only the
highest is told. Another period begins with all of them armed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice

import structlog
from django.db import transaction

from tenants.alert_types import Data
from tenants.ids import Ids
from tenants.models import AlertLevel, Tenant
from tenants.periods import Period
from tenants.services.alerts import alert_raise

log = structlog.get_logger(__name__)

_BATCH = 1_000  # tenants who are read at once
_LOCKED = 50  # who are locked at once: a third of a second, for whoever waits for one of them


@dataclass(frozen=True)
class Reading:
    """What a figure stands at in a period, and at which values its thresholds, by name, lie.

    `data` is what an alert says beside the threshold.
    """

    period: Period
    value: int
    thresholds: Mapping[str, int]
    data: Data = field(default_factory=dict)


def percents_of(most: int, percents: list[int]) -> dict[str, int]:
    """Return where percents of a number lie: at the first whole one that makes them up."""
    return {str(percent): -(-percent * most // 100) for percent in percents}


Read = Callable[[list[int]], Mapping[int, Reading]]
Name = Callable[[str], Data]


def levels_tell(
    *, kind: str, tenant_ids: Iterable[int], read: Read, name: Name, now: datetime
) -> int:
    """Look at many tenants, a batch at a time; return how many thresholds were told.

    `read` returns what a batch stands at, `name` what an alert says of a threshold. Those whose
    levels have moved are locked and read again, so that of two workers the second finds what the
    first has told. One tenant's failure stops no other's.
    """
    told = 0
    for batch in _batches(tenant_ids, _BATCH):
        for moved in _batches(_moved(kind, read(batch)), _LOCKED):
            try:
                told += _tell(kind, moved, read, name, now)
            except Exception:
                log.exception("alerts.not_raised", tenants=moved, kind=kind)
    return told


def _batches(ids: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(ids)
    while batch := list(islice(rest, size)):
        yield batch


def _moved(kind: str, readings: Mapping[int, Reading]) -> Iterator[int]:
    """Yield the tenants, by id, with something to tell or to arm again."""
    for pk, level in _levels(kind, readings).items():
        if _reached(readings[pk], level) != level.told:
            yield pk


def _levels(kind: str, readings: Mapping[int, Reading]) -> dict[int, AlertLevel]:
    """Return what was told of each reading's period, by the tenant's id: one query for all."""
    rows = AlertLevel.objects.filter(kind=kind, tenant__in=Ids(readings))
    found = {(row.tenant_id, row.period_start, row.period_end): row for row in rows}
    levels = {}
    for pk, reading in readings.items():
        start, end = reading.period.start, reading.period.end
        levels[pk] = found.get((pk, start, end)) or AlertLevel(
            tenant_id=pk, kind=kind, period_start=start, period_end=end
        )
    return levels


@transaction.atomic
def _tell(kind: str, ids: list[int], read: Read, name: Name, now: datetime) -> int:
    locked = Tenant.objects.select_for_update().filter(pk__in=Ids(ids)).order_by("pk")
    tenants = {tenant.pk: tenant for tenant in locked}
    readings = read(list(tenants))
    told = 0
    for pk, level in _levels(kind, readings).items():
        reading = readings[pk]
        try:
            with transaction.atomic():
                if threshold := _move(level, reading):
                    alert = alert_raise(
                        tenant=tenants[pk], kind=kind, key=_key(level), now=now,
                        data={**name(threshold), **reading.data},
                    )  # fmt: skip
                    told += alert is not None
        except Exception:
            log.exception("alert.not_raised", tenant=pk, kind=kind)
    return told


def _move(level: AlertLevel, reading: Reading) -> str | None:
    """Note which thresholds are reached; return the one to tell."""
    reached = _reached(reading, level)
    is_told = bool(reached) and reached[-1] not in level.told
    level.told, level.most = reached, max(level.most, reading.value)
    level.crossings += is_told
    level.save()
    return reached[-1] if is_told else None


def _key(level: AlertLevel) -> str:
    """Return the key of what was told last: it has the period, and how many were told in that."""
    return f"{level.kind}:{level.period_start}:{level.period_end}:{level.crossings}"


def alert_levels_prune(*, before: date) -> int:
    """Forget the thresholds of periods that ended before a day; return how many rows went."""
    deleted, _by_model = AlertLevel.objects.filter(period_end__lt=before).delete()
    return deleted


def _reached(reading: Reading, level: AlertLevel) -> list[str]:
    value = max(reading.value, level.most)
    in_order = sorted(reading.thresholds.items(), key=lambda threshold: threshold[1])
    return [name for name, at in in_order if value >= at]
