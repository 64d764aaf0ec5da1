"""Keep a usage plan's two mirrors in the gateway what the row says. Workers only."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from tenants import gateway
from tenants.models import GatewayPlan, UsagePlan


def stage() -> str:
    """Return the stage that the plans open, as "api id:stage"."""
    return f"{settings.BACKEND_API_ID}:{settings.BACKEND_STAGE}"


def mirror_apply(*, mirror: GatewayPlan, now: datetime) -> GatewayPlan:
    """Create or update one mirror and note what the gateway confirmed. Safe to repeat.

    A crash between creation and note leaves a plan that the next run finds by its name. Raise
    GatewayError, noted on the row, where the gateway refuses or cannot be reached.
    """
    plan, methods = mirror.usage_plan, mirror.methods
    wanted: dict[str, Any] = {
        "rate_limit": plan.rate_limit,
        "burst_limit": plan.burst_limit,
        "quota_limit": mirror.quota_limit,
        "quota_period": plan.quota_period,
        "stage": stage(),
        "methods": {
            target: gateway.Throttle(rate, int(burst)) for target, (rate, burst) in methods.items()
        },
    }
    try:
        found = gateway.usage_plan_find(name=mirror.gateway_name)
        if found is None:
            applied = gateway.usage_plan_create(name=mirror.gateway_name, **wanted)
        else:
            applied = gateway.usage_plan_update(plan=found, **wanted)
    except gateway.GatewayError as error:
        GatewayPlan.objects.filter(pk=mirror.pk).update(error=str(error))
        raise
    with transaction.atomic():
        locked = GatewayPlan.objects.select_for_update().get(pk=mirror.pk)
        locked.gateway_id = applied.id
        locked.applied_rate_limit = applied.rate_limit
        locked.applied_burst_limit = applied.burst_limit
        locked.applied_quota_limit = applied.quota_limit
        locked.applied_quota_period = applied.quota_period
        locked.applied_methods = methods
        locked.applied_stage = wanted["stage"]
        locked.applied_at = now
        locked.error = ""
        locked.save()
    return locked


def is_applied(mirror: GatewayPlan) -> bool:
    """Say whether the gateway has confirmed all that the row says."""
    plan = mirror.usage_plan
    return bool(mirror.gateway_id) and (
        mirror.applied_rate_limit,
        mirror.applied_burst_limit,
        mirror.applied_quota_limit,
        mirror.applied_quota_period,
        mirror.applied_methods,
        mirror.applied_stage,
    ) == (
        plan.rate_limit,
        plan.burst_limit,
        mirror.quota_limit,
        plan.quota_period,
        mirror.methods,
        stage(),
    )


def mirrors_apply(*, usage_plan: UsagePlan, now: datetime) -> None:
    """Apply both mirrors of a plan."""
    for mirror in usage_plan.mirrors.select_related("usage_plan"):
        mirror_apply(mirror=mirror, now=now)


def mirrors_stale() -> list[GatewayPlan]:
    """Return the mirrors that the gateway has not confirmed as they are."""
    mirrors = GatewayPlan.objects.select_related("usage_plan")
    mirrors = mirrors.prefetch_related("usage_plan__method_limits")
    return [mirror for mirror in mirrors if not is_applied(mirror)]
