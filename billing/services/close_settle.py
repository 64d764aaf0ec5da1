"""When a month's usage is settled: after two equal readings, at least six hours apart.

A reading is as old as the gateway's answer: while nobody asks it, no figure settles. Conversions
are our own count, by the day on which each was reported: nothing is added to a day that is over.
"""

from collections.abc import Mapping
from datetime import date, timedelta

from billing.models import UsageReading
from billing.sql import rows_insert
from billing.usage import Used
from tenants.ids import Ids
from tenants.models import Meter

SETTLES_IN = timedelta(hours=6)  # between two equal readings of a month that is to be closed


def settled(used: Mapping[int, Used], *, month_start: date, dry_run: bool = False) -> set[int]:
    """Return whose requests of a month are settled, by the subscriptions' ids.

    What is read anew is noted, but in a dry run. Call it where the subscriptions are locked.
    """
    rows = UsageReading.objects.filter(subscription__in=Ids(used), period_start=month_start)
    readings = {
        pk: (requests, same_since)
        for pk, requests, same_since in rows.values_list("subscription", "requests", "same_since")
    }
    found, moved = set(), []
    for pk, figure in used.items():
        if figure.read_at is None:
            continue
        requests = figure.by_meter.get(Meter.REQUESTS, 0)
        before, same_since = readings.get(pk, (None, figure.read_at))
        if requests != before:
            moved.append((pk, month_start, requests, figure.read_at))
        elif figure.read_at - same_since >= SETTLES_IN:
            found.add(pk)
    if not dry_run:
        rows.filter(subscription__in=Ids(pk for pk, *_ in moved if pk in readings)).delete()
        rows_insert(
            UsageReading,
            columns=["subscription_id", "period_start", "requests", "same_since"],
            rows=moved,
        )
    return found
