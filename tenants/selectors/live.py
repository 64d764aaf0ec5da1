"""What the live meter has counted. Figures of minutes are as fresh as `live_as_of` says."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from django.conf import settings
from django.db.models import F, Sum

from tenants.models import GatewayStage, LiveDay, LiveMeter, LiveMinute


def live_meter() -> LiveMeter | None:
    """Return how far the meter has come; None: it was never seen."""
    return LiveMeter.objects.filter(pk=LiveMeter.ONLY).first()


def live_as_of() -> datetime | None:
    """Return the moment up to which the live figures hold all calls.

    None: the meter was never seen, or there are two of them, as while an old API stays open. A
    margin (LIVE_MARGIN_SECONDS) lies between it and the newest line: lines come out of order, a
    batch may come again, and a call is logged under the time at which it began.
    """
    meter = live_meter()
    apis = GatewayStage.objects.values("api_id").distinct()
    if meter is None or apis.count() > 1:
        return None
    return meter.come_to - timedelta(seconds=settings.LIVE_MARGIN_SECONDS)


def live_lossy(*, versions: Iterable[int], since: datetime) -> set[int]:
    """Return the versions of which less was counted than billed, on some day since then."""
    days = LiveDay.objects.filter(version__in=versions, day__gte=since.astimezone(UTC).date())
    return set(days.filter(billed__gt=F("requests")).values_list("version_id", flat=True))


def live_used(*, versions: Iterable[int], since: datetime) -> dict[int, int]:
    """Return how many requests that count for the quota each version made since a moment, at least.

    The moment's whole minute counts. Where its minutes have been pruned, its whole UTC day does.
    `versions` are primary keys; each of them is in the answer.
    """
    ids = list(versions)
    used = dict.fromkeys(ids, 0)
    minute = since.astimezone(UTC).replace(second=0, microsecond=0)
    day = minute.date()
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)
    of_first_day = LiveMinute.objects.filter(version__in=ids, minute__lt=midnight)
    is_pruned = not of_first_day.filter(minute__gte=midnight - timedelta(days=1)).exists()
    days = LiveDay.objects.filter(version__in=ids)
    days = days.filter(day__gte=day) if is_pruned else days.filter(day__gt=day)
    sums: list[tuple[int, int]] = list(
        days.order_by().values_list("version_id").annotate(Sum("requests"))
    )
    if not is_pruned:
        minutes = of_first_day.filter(minute__gte=minute)
        sums += minutes.order_by().values_list("version_id").annotate(Sum("requests"))
    for version_id, requests in sums:
        used[version_id] += requests
    return used
