"""Keep a usage plan's two mirrors in the gateway what the row says. Workers and commands only."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models.functions import Greatest

from tenants import gateway
from tenants.models import GatewayPlan, UsagePlan
from tenants.stages import stages_open

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 20  # UpdateUsagePlan's limit: one in that time
PATIENCE = 9  # pauses for one mirror, before the gateway's refusal is believed
SPREAD = timedelta(minutes=1)  # from when a throttle is asked for, until it is so everywhere


def mirror_apply(*, mirror: GatewayPlan, now: datetime) -> GatewayPlan:
    """Create or update one mirror and note what the gateway confirmed. Safe to repeat.

    A crash between creation and note leaves a plan that the next run finds by its name. Raise
    GatewayError, noted on the row, where the gateway refuses or cannot be reached.
    """
    plan, methods = mirror.usage_plan, mirror.methods
    stages = stages_open()
    wanted: dict[str, Any] = {
        "rate_limit": plan.rate_limit,
        "burst_limit": plan.burst_limit,
        "quota_limit": mirror.quota_limit,
        "quota_period": plan.quota_period,
        "stages": stages,
        "methods": _throttles(methods),
    }
    try:
        if not stages:
            raise gateway.GatewayNotFound("No stage is deployed yet (manage.py deploy_backend).")
        found = gateway.usage_plan_find(name=mirror.gateway_name)
        if found is None:
            applied = gateway.usage_plan_create(name=mirror.gateway_name, **wanted)
        else:
            applied = gateway.usage_plan_update(plan=found, **wanted)
    except gateway.GatewayError as error:
        GatewayPlan.objects.filter(pk=mirror.pk).update(error=str(error))
        raise
    with transaction.atomic():
        rows = GatewayPlan.objects.select_for_update(of=("self",)).select_related("usage_plan")
        locked = rows.get(pk=mirror.pk)
        if locked.gateway_id != applied.id:
            locked.gateway_id, locked.made_at = applied.id, now
        locked.applied_rate_limit = applied.rate_limit
        locked.applied_burst_limit = applied.burst_limit
        locked.applied_quota_limit = applied.quota_limit
        locked.applied_quota_period = applied.quota_period
        locked.applied_methods = methods
        locked.applied_stages = " ".join(stages)
        locked.applied_at = now
        locked.error = ""
        if not is_applied(locked):
            locked.fastest_until = None
        elif locked.fastest_until is None:
            locked.fastest_until = now + SPREAD
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
        mirror.applied_stages,
    ) == (
        plan.rate_limit,
        plan.burst_limit,
        mirror.quota_limit,
        plan.quota_period,
        mirror.methods,
        " ".join(stages_open()),
    )


def is_as_noted(mirror: GatewayPlan, plan: gateway.PlanState) -> bool:
    """Say whether the gateway has what it last confirmed."""
    stages = mirror.applied_stages.split()
    return plan == gateway.PlanState(
        id=mirror.gateway_id,
        rate_limit=mirror.applied_rate_limit,
        burst_limit=mirror.applied_burst_limit,
        quota_limit=mirror.applied_quota_limit,
        quota_period=mirror.applied_quota_period,
        stages=dict.fromkeys(stages, _throttles(mirror.applied_methods)),
    )


def mirror_doubt(*, mirror: GatewayPlan, plan: gateway.PlanState) -> None:
    """Note that somebody made a plan another one: the sweep makes it what the row says.

    Until then keys may send as much as it lets them.
    """
    rate, burst = plan.fastest
    GatewayPlan.objects.filter(pk=mirror.pk).update(
        applied_rate_limit=plan.rate_limit,
        applied_burst_limit=plan.burst_limit,
        applied_quota_limit=plan.quota_limit,
        applied_quota_period=plan.quota_period,
        applied_stages="",
        fastest_rate=Greatest("fastest_rate", rate),
        fastest_burst=Greatest("fastest_burst", burst),
        fastest_until=None,
    )


def _throttles(methods: Mapping[str, Sequence[float]]) -> dict[str, gateway.Throttle]:
    return {target: gateway.Throttle(rate, int(burst)) for target, (rate, burst) in methods.items()}


def is_usable(mirror: GatewayPlan) -> bool:
    """Say whether keys may be in it: the gateway has it, and counts by the row's quota and period.

    Throttles and stages are left to the sweep. The gateway changes one plan in 20 seconds, and may
    refuse a method's limit for good; no tenant's keys or extensions should wait for that.
    """
    return bool(mirror.gateway_id) and (
        mirror.applied_quota_limit,
        mirror.applied_quota_period,
    ) == (mirror.quota_limit, mirror.usage_plan.quota_period)


def mirrors_apply(*, usage_plan: UsagePlan, now: datetime) -> None:
    """Apply both mirrors of a plan."""
    for mirror in usage_plan.mirrors.select_related("usage_plan"):
        mirror_apply(mirror=mirror, now=now)


def mirrors_stale() -> list[GatewayPlan]:
    """Return the mirrors that the gateway has not confirmed as they are."""
    mirrors = GatewayPlan.objects.select_related("usage_plan")
    mirrors = mirrors.prefetch_related("usage_plan__method_limits")
    return [mirror for mirror in mirrors if not is_applied(mirror)]


def mirrors_sweep(*, clock: Callable[[], datetime]) -> None:
    """Try each stale mirror once; one that fails stops no other, and is tried by the next sweep."""
    for mirror in mirrors_stale():
        try:
            mirror_apply(mirror=mirror, now=clock())
        except gateway.GatewayError:
            continue  # noted on the row, and shown in the admin
        except Exception:
            log.exception("mirror.not_applied", mirror=mirror.pk)


def mirrors_follow(*, clock: Callable[[], datetime], say: Callable[[str], None]) -> None:
    """Apply all mirrors that are stale, however long the gateway makes that last.

    Commands that cannot leave it to the next sweep call this. Raise GatewayError.
    """
    for mirror in mirrors_stale():
        for pauses_left in reversed(range(PATIENCE)):
            try:
                mirror_apply(mirror=mirror, now=clock())
                break
            except gateway.GatewayThrottled:
                if not pauses_left:
                    raise
                say(f"{mirror} has to wait: the gateway changes one plan in {PAUSE_SECONDS} s.")
                time.sleep(PAUSE_SECONDS)
