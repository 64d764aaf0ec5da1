"""Alerts of the quota: looked for where usage becomes known, for many tenants at once.

Readings and live figures that changed something name their tenants (usage.py, live.py), news of
another quota its own; a sweep looks at all, for a task that was lost. Nearly always nobody has
crossed anything, and a few queries say so.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db.models import QuerySet

from tenants import selectors
from tenants.alert_types import QUOTA
from tenants.ids import Ids
from tenants.models import Tenant, TenantState
from tenants.periods import Period
from tenants.services.alert_levels import Reading, levels_tell, percents_of


def quota_alerts(*, tenant_ids: Iterable[int], now: datetime) -> int:
    """Tell of the thresholds that these tenants have crossed; return how many were told.

    Safe to run twice, late and at once. One tenant's failure stops no other's.
    """
    return levels_tell(
        kind=QUOTA,
        tenant_ids=tenant_ids,
        read=lambda ids: dict(_readings(_active(ids), now)),
        name=lambda percent: {"threshold": int(percent)},
        now=now,
    )


def quota_alerts_sweep(*, now: datetime) -> int:
    """Look at all tenants; return how many thresholds were told."""
    active = Tenant.objects.filter(state=TenantState.ACTIVE)
    return quota_alerts(tenant_ids=active.values_list("pk", flat=True).iterator(), now=now)


def _active(ids: list[int]) -> QuerySet[Tenant]:
    tenants = Tenant.objects.filter(pk__in=Ids(ids), state=TenantState.ACTIVE)
    return tenants.select_related("usage_plan")


def _readings(tenants: QuerySet[Tenant], now: datetime) -> Iterator[tuple[int, Reading]]:
    """Yield what each tenant with a quota stands at, by its id."""
    quotas = selectors.quotas(tenants=tenants, now=now)
    used = selectors.usage_known(tenants=tenants, now=now)
    settings = selectors.alert_settings_of(tenant_ids=quotas)
    for pk, quota in quotas.items():
        if quota.limit:
            period = Period(quota.period_start, quota.period_end + timedelta(days=1))
            percents = percents_of(quota.limit, settings[pk].quota_percents)
            data = {
                "used": used.get(pk, 0),
                "limit": quota.limit,
                "period_start": quota.period_start.isoformat(),
                "period_end": quota.period_end.isoformat(),
            }
            yield pk, Reading(period, used.get(pk, 0), percents, data)
