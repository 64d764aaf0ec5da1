"""The live meter against GetUsage: a day of the one is set beside the other once both are whole.

The difference says how far the live figures can be trusted. Nothing is ever billed from them.
"""

from datetime import UTC, date, datetime, time, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Min, Sum

from tenants.models import GatewayPlan, LiveDay, LiveMeter, Meter, UsageDay

log = structlog.get_logger(__name__)
DAYS = 3  # that usage_sync reads again every time, and so may still change


def live_compare(*, now: datetime) -> int:
    """Note on the last settled days what GetUsage said of them; return how many rows changed.

    The day on which the meter was first seen is left out: it has only part of it.
    """
    first = LiveDay.objects.aggregate(day=Min("day"))["day"]
    today = now.astimezone(UTC).date()
    days = [today - timedelta(days=ago) for ago in range(1, DAYS + 1)]
    return sum(_compare(day) for day in days if first is not None and first < day and _settled(day))


def _settled(day: date) -> bool:
    """Say whether every plan was read when GetUsage had long caught up with the day.

    The meter must have come past its end, too. A key that a reading leaves out was not used; that
    is why the plans are asked, not the rows.
    """
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)
    meter = LiveMeter.objects.filter(pk=LiveMeter.ONLY).first()
    margin = timedelta(seconds=settings.LIVE_MARGIN_SECONDS)
    if meter is None or meter.come_to < midnight + margin:
        return False
    late = timedelta(seconds=settings.USAGE_LAG_SECONDS + settings.USAGE_SETTLE_SECONDS)
    whole_at = midnight + late
    plans = GatewayPlan.objects.exclude(gateway_id="")
    read_at = plans.aggregate(at=Min("read_at"))["at"]
    return read_at is not None and read_at >= whole_at


@transaction.atomic
def _compare(day: date) -> int:
    LiveMeter.objects.select_for_update().get(pk=LiveMeter.ONLY)  # live_record waits
    requests = UsageDay.objects.filter(day=day, meter=Meter.REQUESTS, version__isnull=False)
    billed = dict(requests.order_by().values_list("version_id").annotate(Sum("used")))
    rows = {row.version_id: row for row in LiveDay.objects.filter(day=day)}
    for version_id, used in billed.items():
        if used and version_id not in rows:  # the meter saw none of it
            rows[version_id] = LiveDay(
                version_id=version_id, day=day, requests=0, throttled=0, refused=0
            )
    changed = [row for row in rows.values() if row.billed != billed.get(row.version_id, 0)]
    for row in changed:
        row.billed = billed.get(row.version_id, 0)
        if row.differs:
            log.warning(
                "live.differs", version=row.version_id, day=str(day), counted=row.requests,
                billed=row.billed,
            )  # fmt: skip
    LiveDay.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["version", "day"],
        update_fields=["billed"],
        batch_size=500,
    )
    return len(changed)
