"""What a tenant was told, how it wants to be told, and what is known of its usage."""

import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet, Sum

from tenants.ids import Ids
from tenants.models import Alert, AlertSettings, LiveDay, Meter, Tenant, UsageDay
from tenants.periods import period_of
from tenants.selectors.paging import page_behind
from tenants.selectors.quota import usage_in_period


def alerts(*, tenant: Tenant) -> QuerySet[Alert]:
    """Return what a tenant was told, newest first."""
    return Alert.objects.filter(tenant=tenant).order_by("-raised_at", "-id")


def alerts_page(
    *, tenant: Tenant, before: uuid.UUID | None, count: int
) -> tuple[list[Alert], Alert | None]:
    """Return up to `count` alerts older than `before`, newest first, and the one that the next page
    begins before; None where there is no next page.
    """
    rows = alerts(tenant=tenant)
    behind = rows.filter(uuid=before).values_list("raised_at", "pk").first() if before else None
    return page_behind(rows, at="raised_at", behind=behind, count=count)


def alerts_unseen(*, tenant: Tenant) -> int:
    """Return how many of a tenant's alerts nobody has seen."""
    return Alert.objects.filter(tenant=tenant, seen_at=None).count()


def alert_settings(*, tenant: Tenant) -> AlertSettings:
    """Return how a tenant wants to be told; the defaults, not saved, where it chose nothing."""
    return AlertSettings.objects.filter(tenant=tenant).first() or AlertSettings(tenant=tenant)


def alert_settings_of(*, tenant_ids: Iterable[int]) -> dict[int, AlertSettings]:
    """Return likewise of many tenants, by their ids, in one query."""
    ids = list(tenant_ids)
    chosen = {each.tenant_id: each for each in AlertSettings.objects.filter(tenant__in=Ids(ids))}
    return {pk: chosen.get(pk) or AlertSettings(tenant_id=pk) for pk in ids}


def usage_known(*, tenants: QuerySet[Tenant], now: datetime) -> dict[int, int]:
    """Return how many requests each tenant has made in its period, as far as anything tells.

    That is what GetUsage told, and of today and yesterday, of which it tells late, what the live
    meter has counted, where that is more. Three queries, and one per kind of period. Needs their
    `usage_plan`.
    """
    known = Counter(usage_in_period(tenants=tenants, now=now))
    today = now.astimezone(UTC).date()
    since = today - timedelta(days=1)
    billed = UsageDay.objects.filter(tenant__in=tenants, meter=Meter.REQUESTS, day__gte=since)
    told = {
        (tenant_id, day): total
        for tenant_id, day, total in billed.order_by()
        .values_list("tenant", "day")
        .annotate(total=Sum("used"))
    }
    live = LiveDay.objects.filter(version__api_key__tenant__in=tenants, day__gte=since)
    starts = {each.pk: period_of(each.usage_plan.quota_period, now).start for each in tenants}
    counted = live.order_by().values_list("version__api_key__tenant", "day")
    for tenant_id, day, total in counted.annotate(total=Sum("requests")):
        if day >= starts[tenant_id]:
            known[tenant_id] += max(total - told.get((tenant_id, day), 0), 0)
    return known
