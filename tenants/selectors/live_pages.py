"""What pages show of the live meter. Every query starts from the tenant."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db.models import Count, Q, Sum

from tenants.models import LiveDay, LiveMinute, Tenant

MINUTES = 60  # that the live chart shows


@dataclass(frozen=True)
class LiveToday:
    """A tenant's calls of the current UTC day so far. Refused and throttled count for no quota."""

    requests: int
    throttled: int
    refused: int


@dataclass
class LiveBar:
    """One minute of the live chart. What succeeded, what failed, what the gateway refused."""

    minute: datetime
    succeeded: int = 0
    client_errors: int = 0
    server_errors: int = 0
    refused: int = 0


@dataclass
class LiveRoute:
    """One route within the hour. Latency is told by limits: at most so many milliseconds."""

    route: str
    requests: int = 0
    errors: int = 0
    refused: int = 0
    latency_ms: int = 0
    buckets: Counter[str] = field(default_factory=Counter)

    @property
    def error_percent(self) -> float:
        return 100 * self.errors / self.requests if self.requests else 0

    @property
    def average_ms(self) -> int | None:
        return round(self.latency_ms / self.requests) if self.requests else None

    @property
    def median_ms(self) -> int | None:
        return _at_most(self.buckets, 50)

    @property
    def p95_ms(self) -> int | None:
        return _at_most(self.buckets, 95)

    @property
    def slowest_ms(self) -> int | None:
        return _at_most(self.buckets, 100)


def _at_most(buckets: Mapping[str, int], percent: int) -> int | None:
    """Return the limit within which so many percent of the calls stayed; None without calls."""
    total = sum(buckets.values())
    seen = 0
    for limit in sorted(map(int, buckets)):
        seen += buckets[str(limit)]
        if seen * 100 >= total * percent:
            return limit
    return None


@dataclass(frozen=True)
class LiveHour:
    """The last 60 minutes, oldest first, and their routes, the most called one first."""

    bars: list[LiveBar]
    routes: list[LiveRoute]

    @property
    def is_quiet(self) -> bool:
        return not self.routes


def live_today(*, tenant: Tenant, now: datetime) -> LiveToday:
    """Return the tenant's calls of today."""
    days = LiveDay.objects.filter(version__api_key__tenant=tenant, day=now.astimezone(UTC).date())
    sums = days.aggregate(
        requests=Sum("requests", default=0),
        throttled=Sum("throttled", default=0),
        refused=Sum("refused", default=0),
    )
    return LiveToday(**sums)


def live_hour(*, tenant: Tenant, now: datetime) -> LiveHour:
    """Return what the tenant called in the minute that is under way and the 59 before it."""
    this = now.astimezone(UTC).replace(second=0, microsecond=0)
    minutes = [this - timedelta(minutes=ago) for ago in reversed(range(MINUTES))]
    bars = {minute: LiveBar(minute) for minute in minutes}
    routes: dict[str, LiveRoute] = {}
    for row in _rows(tenant, minutes):
        refused = row.throttled + row.quota_refused + row.other_refused
        bar = bars[row.minute]
        bar.succeeded += row.requests - row.client_errors - row.server_errors
        bar.client_errors += row.client_errors
        bar.server_errors += row.server_errors
        bar.refused += refused
        route = routes.setdefault(row.route, LiveRoute(row.route))
        route.requests += row.requests
        route.errors += row.client_errors + row.server_errors
        route.refused += refused
        route.latency_ms += row.latency_ms
        route.buckets.update(row.latency_buckets)
    busiest = sorted(routes.values(), key=lambda each: (-each.requests, -each.refused, each.route))
    return LiveHour(bars=list(bars.values()), routes=busiest)


def _rows(tenant: Tenant, minutes: list[datetime]) -> Iterable[LiveMinute]:
    return LiveMinute.objects.filter(
        version__api_key__tenant=tenant, minute__gte=minutes[0], minute__lte=minutes[-1]
    )


@dataclass(frozen=True)
class LiveComparison:
    """A settled UTC day: what the meter counted, and what GetUsage said, which is billed."""

    day: date
    counted: int
    billed: int

    @property
    def difference(self) -> int:
        return self.counted - self.billed


def live_comparisons(*, tenant: Tenant, start: date, end: date) -> list[LiveComparison]:
    """Return the settled days from `start` to `end`, both included, the newest first."""
    days = (
        LiveDay.objects.filter(version__api_key__tenant=tenant, day__gte=start, day__lte=end)
        .order_by("-day")
        .values("day")
        .annotate(
            counted=Sum("requests"),
            compared=Sum("billed", default=0),
            waiting=Count("pk", filter=Q(billed=None)),
        )
        .filter(waiting=0)
    )
    return [LiveComparison(day["day"], day["counted"], day["compared"]) for day in days]
