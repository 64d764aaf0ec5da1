"""Alerts of the quota: looked for where usage becomes known, for many tenants at once.

Readings and live figures that changed something name their tenants (usage.py, live.py), news of
another quota its own; a sweep looks at all, for a task that was lost. Nearly always nobody has
crossed anything, and a few queries say so.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from tenants import selectors
from tenants.alert_types import QUOTA
from tenants.ids import Ids
from tenants.models import Tenant, TenantState
from tenants.periods import Period
from tenants.services.alert_levels import Reading, level_move, levels_tell, percents_of
from tenants.services.alerts import alert_raise


def quota_alerts(*, tenant_ids: Iterable[int], now: datetime) -> int:
    """Tell of the thresholds that these tenants have crossed; return how many were told.

    Safe to run twice, late and at once. One tenant's failure stops no other's.
    """
    return levels_tell(
        kind=QUOTA,
        tenant_ids=tenant_ids,
        read=lambda ids: dict(_readings(_active(ids), now)),
        tell=lambda pk: _tell(pk, now),
    )


def quota_alerts_sweep(*, now: datetime) -> int:
    """Look at all tenants; return how many thresholds were told."""
    active = Tenant.objects.filter(state=TenantState.ACTIVE)
    return quota_alerts(tenant_ids=active.values_list("pk", flat=True).iterator(), now=now)


@transaction.atomic
def _tell(tenant_id: int, now: datetime) -> bool:
    """Look again at a tenant that is locked, so that what was read is what stands."""
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    reading = dict(_readings(_active([tenant_id]), now)).get(tenant_id)
    if reading is None:
        return False
    crossing = level_move(tenant=tenant, kind=QUOTA, reading=reading)
    if crossing is None:
        return False
    alert = alert_raise(
        tenant=tenant, kind=QUOTA, key=crossing.key, now=now,
        data={
            "threshold": int(crossing.threshold),
            "used": reading.value,
            "limit": reading.limit,
            "period_start": reading.period.start.isoformat(),
            "period_end": (reading.period.end - timedelta(days=1)).isoformat(),
        },
    )  # fmt: skip
    return alert is not None


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
            yield pk, Reading(period, used.get(pk, 0), quota.limit, percents)
