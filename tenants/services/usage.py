"""Usage: read it from the gateway into our own history, and count what our own parts do.

`usage_sync` reads whole plans, 500 keys a call, and re-reads the last three days every time,
because figures lag by 30-45 minutes and may still change. One bulk upsert a page.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Sum, Value
from django.db.models.functions import Coalesce

from tenants import gateway, key_values, queue
from tenants.models import (
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    Lease,
    Meter,
    Tenant,
    UsageDay,
    UsageRecord,
)
from tenants.selectors.keys import tenants_of_versions

log = structlog.get_logger(__name__)
REREAD = timedelta(days=3)


def usage_sync(*, mirror: GatewayPlan, now: datetime) -> int:
    """Read one gateway plan's usage of the last days; return how many keys were read.

    Raise GatewayError where the gateway cannot be read; what was read before that is kept.
    """
    today = now.astimezone(UTC).date()
    since = today - REREAD
    if mirror.read_at is not None:  # after a longer gap, what was missed; AWS allows 90 days
        since = max(min(since, mirror.read_at.date() - timedelta(days=1)), today - timedelta(89))
    read = 0
    page: list[gateway.KeyUsage] = []
    for usage in gateway.usage_read(plan_id=mirror.gateway_id, start=since, end=today):
        page.append(usage)
        if len(page) == gateway.PAGE:
            read += usage_store(mirror=mirror, usages=page, now=now)
            page = []
    read += usage_store(mirror=mirror, usages=page, now=now)
    usage_none_seen(mirror=mirror, versions=None, since=since, now=now)
    GatewayPlan.objects.filter(pk=mirror.pk).update(read_at=now)
    return read


def usage_store(*, mirror: GatewayPlan, usages: list[gateway.KeyUsage], now: datetime) -> int:
    """Write what GetUsage said, `now` being when it was asked; return how many keys were ours."""
    versions = _versions_by_map_key(usages)
    rows: list[UsageDay] = []
    latest: dict[int, int] = {}
    for usage in usages:
        version = versions.get(usage.map_key)
        if version is None:
            # The map key may be a key's value: it is never logged.
            log.warning("usage.unknown_key", gateway_plan=mirror.pk)
            continue
        rows += [
            UsageDay(
                tenant_id=version.api_key.tenant_id,
                version=version,
                gateway_plan=mirror,
                meter=Meter.REQUESTS,
                day=day.day,
                used=day.used,
                remaining=day.remaining,
                read_at=now,
            )
            for day in usage.days
        ]
        if usage.days:
            latest[version.pk] = usage.days[-1].remaining
    with transaction.atomic():
        _carry(mirror, rows)
        UsageDay.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["version", "gateway_plan", "meter", "day"],
            update_fields=["used", "carried", "remaining", "read_at"],
            batch_size=1000,
        )
        moved = _leases_see(mirror=mirror, remaining=latest, now=now)
        if moved:  # a sweep finds what a lost task leaves
            ids = tenants_of_versions(versions=moved)
            queue.on_commit("tenants.tasks.quota_alerts", ids, queue="default")
            queue.on_commit("tenants.tasks.usage_unusual", ids, queue="default")
    return len(latest)


def _carry(mirror: GatewayPlan, rows: Iterable[UsageDay]) -> None:
    """Add to days what a key or a plan that was deleted at the gateway had counted in them: the one
    that was made again counts from nothing.
    """
    early: dict[tuple[int | None, date], tuple[UsageDay, datetime]] = {}
    for row in rows:
        made_at = _made_at(mirror, row.version)
        if made_at is not None and row.day <= made_at.astimezone(UTC).date():
            early[row.version_id, row.day] = row, made_at
    if not early:
        return
    days = [day for _version, day in early]
    known = UsageDay.objects.filter(
        gateway_plan=mirror,
        meter=Meter.REQUESTS,
        version__in={version for version, _day in early},
        day__range=(min(days), max(days)),
    )
    for before in known:
        if found := early.get((before.version_id, before.day)):
            row, made_at = found
            row.carried = before.used if before.read_at < made_at else before.carried
            row.used += row.carried


def _made_at(mirror: GatewayPlan, version: ApiKeyVersion | None) -> datetime | None:
    """Return since when there is what counts a version's calls under a plan."""
    made = [mirror.made_at, version.made_at if version else None]
    return max((at for at in made if at is not None), default=None)


def _versions_by_map_key(usages: Iterable[gateway.KeyUsage]) -> dict[str, ApiKeyVersion]:
    """Match GetUsage's map keys: AWS calls them key ids in one place and key values in another."""
    digests = {key_values.digest(usage.map_key): usage.map_key for usage in usages}
    found = ApiKeyVersion.objects.filter(
        Q(gateway_id__in=digests.values()) | Q(value_digest__in=digests)
    ).select_related("api_key")
    by_map_key: dict[str, ApiKeyVersion] = {}
    for version in found:
        by_map_key[digests.get(version.value_digest, version.gateway_id)] = version
    return by_map_key


def _leases_see(*, mirror: GatewayPlan, remaining: dict[int, int], now: datetime) -> set[int]:
    """Note the new reading on the leases of the period that `now` is in; return the versions whose
    figures it moved.
    """
    today = now.astimezone(UTC).date()
    leases = Lease.objects.select_for_update(of=("self",)).filter(
        version__in=remaining,
        gateway_plan=mirror,
        entitlement__period_start__lte=today,
        entitlement__period_end__gt=today,
    )
    leases = leases.order_by("pk")
    used = _used_since_period_start(mirror=mirror, leases=leases.select_related("entitlement"))
    changed, moved = [], set()
    for lease in leases:
        if lease.seen_at is not None and lease.seen_at >= now:
            continue  # a late answer of an older question
        figure = used.get(lease.version_id, 0)
        if lease.seen_at is None or lease.seen_used != figure:
            lease.seen_since = now
            moved.add(lease.version_id)
        lease.seen_used = figure
        lease.seen_remaining = remaining[lease.version_id]
        lease.seen_at = now
        changed.append(lease)
    Lease.objects.bulk_update(
        changed, ["seen_used", "seen_remaining", "seen_at", "seen_since"], batch_size=500
    )
    return moved


def usage_none_seen(
    *, mirror: GatewayPlan, versions: list[int] | None, since: date, now: datetime
) -> None:
    """Note for keys that GetUsage left out that it saw no use of them: that is a reading too.

    `since` is the day (UTC) from which on it was asked. Whether it leaves out a key that was used
    before that day AWS does not say; what it has told of later days it does not take back.
    `versions` None means the whole plan was read. What remains is not told.
    """
    today = now.astimezone(UTC).date()
    told = UsageDay.objects.filter(
        Q(day__gte=since) & Q(day__gte=OuterRef("entitlement__period_start")),
        version=OuterRef("version"),
        gateway_plan=mirror,
        meter=Meter.REQUESTS,
        used__gt=0,
    )
    unseen = Lease.objects.filter(
        Q(seen_at=None) | Q(seen_at__lt=now),
        ~Exists(told),
        gateway_plan=mirror,
        entitlement__period_start__lte=today,
        entitlement__period_end__gt=today,
    )
    if versions is not None:
        unseen = unseen.filter(version__in=versions)
    ids = list(unseen.values_list("pk", flat=True))
    Lease.objects.filter(pk__in=ids).update(
        seen_at=now, seen_since=Coalesce("seen_since", Value(now))
    )


def _used_since_period_start(*, mirror: GatewayPlan, leases: Iterable[Lease]) -> dict[int, int]:
    """Sum each version's requests under this plan since its lease's period began."""
    starts: dict[date, list[int]] = {}
    for lease in leases:
        starts.setdefault(lease.entitlement.period_start, []).append(lease.version_id)
    used: dict[int, int] = {}
    for start, version_ids in starts.items():
        sums = (
            UsageDay.objects.filter(
                version__in=version_ids,
                gateway_plan=mirror,
                meter=Meter.REQUESTS,
                day__gte=start,
            )
            .order_by()
            .values_list("version_id")
            .annotate(total=Sum("used"))
        )
        used |= dict(sums)
    return used


@transaction.atomic
def usage_record(
    *, tenant: Tenant, meter: Meter, key: str, day: date, now: datetime, quantity: int = 1
) -> bool:
    """Count usage that the gateway does not: once per `key`. Return whether it was new."""
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    _, is_new = UsageRecord.objects.get_or_create(
        meter=meter, key=key, defaults={"tenant": tenant, "day": day, "quantity": quantity}
    )
    if is_new:
        row, is_first = UsageDay.objects.get_or_create(
            tenant=tenant,
            version=None,
            meter=meter,
            day=day,
            defaults={"used": quantity, "read_at": now},
        )
        if not is_first:
            UsageDay.objects.filter(pk=row.pk).update(used=F("used") + quantity, read_at=now)
    return is_new


def usage_records_prune(*, meter: Meter, before: date) -> int:
    """Forget by which keys a meter counted before a day; return how many. What it counted stays.

    Whoever calls it knows that none of them is reported again.
    """
    deleted, _ = UsageRecord.objects.filter(meter=meter, day__lt=before).delete()
    return deleted


def tenants_to_reconcile_after_sync(*, mirror: GatewayPlan, now: datetime) -> list[Tenant]:
    """Return the tenants of a plan whose leases a new reading may move.

    Those with something owed or unconfirmed, and those where a key has run dry while the tenant
    has several.
    """
    today = now.astimezone(UTC).date()
    current = Entitlement.objects.filter(period_start__lte=today, period_end__gt=today)
    leases = Lease.objects.filter(entitlement__in=current, gateway_plan=mirror)
    others = Lease.objects.filter(entitlement=OuterRef("entitlement"), closed_at=None)
    waiting = leases.filter(
        Q(is_owed=True)
        | Q(pending_limit__isnull=False)
        | Q(Exists(others.exclude(pk=OuterRef("pk"))), seen_remaining=0, closed_at=None)
    ).values("entitlement__tenant")
    return list(Tenant.objects.filter(pk__in=waiting))
