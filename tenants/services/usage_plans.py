"""Usage plans: what an operator edits, and what the gateway then gets (mirrors.py)."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from tenants import queue
from tenants.models import GatewayPlan, KeySlot, MethodLimit, Tenant, UsagePlan, User
from tenants.services.audit import audit_record


@transaction.atomic
def usage_plan_save(
    *,
    usage_plan: UsagePlan,
    method_limits: Sequence[MethodLimit] | None = None,
    now: datetime,
    actor: User | None = None,
) -> UsagePlan:
    """Validate and save a usage plan with its two mirrors; the gateway follows on commit.

    `method_limits` take the place of those that it has; None leaves them as they are. Raise
    django.core.exceptions.ValidationError where a limit is out of range.
    """
    usage_plan.full_clean()
    # Not its key: who changes a tenant's plan holds the tenant, and must not wait for us.
    stored = UsagePlan.objects.select_for_update(no_key=True).filter(pk=usage_plan.pk).first()
    was_fastest = stored.fastest if stored else None
    usage_plan.save()
    if stored is not None and _entitles_otherwise(stored, usage_plan):
        # What each tenant may use changes; the sweep takes them one by one.
        Tenant.objects.filter(usage_plan=usage_plan).update(
            reconcile_at=now, reconcile_revision=F("reconcile_revision") + 1
        )
    if method_limits is not None:
        _method_limits_set(usage_plan, method_limits)
    for slot in KeySlot:
        GatewayPlan.objects.get_or_create(usage_plan=usage_plan, slot=slot)
    if usage_plan.fastest != was_fastest:
        # Until the gateway has confirmed a slower throttle, and told of all calls before that.
        rate, burst = usage_plan.fastest
        usage_plan.mirrors.update(
            fastest_rate=Greatest("fastest_rate", rate),
            fastest_burst=Greatest("fastest_burst", burst),
            fastest_until=None,
        )
    audit_record(
        action="usage_plan.saved",
        tenant=None,
        actor=actor,
        now=now,
        target=usage_plan.code,
        rate_limit=usage_plan.rate_limit,
        burst_limit=usage_plan.burst_limit,
        quota_limit=usage_plan.quota_limit,
        most_keys=usage_plan.most_keys,
        methods={
            limit.target: [limit.rate_limit, limit.burst_limit]
            for limit in usage_plan.method_limits.all()
        },
    )
    queue.on_commit("tenants.tasks.usage_plan_mirror", usage_plan.pk, queue="gateway_urgent")
    return usage_plan


def _method_limits_set(usage_plan: UsagePlan, limits: Sequence[MethodLimit]) -> None:
    usage_plan.method_limits.all().delete()
    for limit in limits:
        limit.pk, limit.usage_plan = None, usage_plan
        limit.full_clean()
        limit.save(force_insert=True)


def _entitles_otherwise(old: UsagePlan, new: UsagePlan) -> bool:
    """Say whether tenants of the plan may now use more or less than before."""
    return (old.quota_limit, old.advance_requests, old.is_prorated) != (
        new.quota_limit,
        new.advance_requests,
        new.is_prorated,
    )
