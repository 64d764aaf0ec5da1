"""Usage plans: what an operator edits, and what the gateway then gets (mirrors.py)."""

from datetime import datetime

from django.db import transaction

from tenants import queue
from tenants.models import GatewayPlan, KeySlot, UsagePlan, User
from tenants.services.audit import audit_record


@transaction.atomic
def usage_plan_save(
    *, usage_plan: UsagePlan, now: datetime, actor: User | None = None
) -> UsagePlan:
    """Validate and save a usage plan with its two mirrors; the gateway follows on commit.

    Raise django.core.exceptions.ValidationError where a limit is out of range.
    """
    usage_plan.full_clean()
    usage_plan.save()
    for slot in KeySlot:
        GatewayPlan.objects.get_or_create(usage_plan=usage_plan, slot=slot)
    audit_record(
        action="usage_plan.saved",
        tenant=None,
        actor=actor,
        now=now,
        target=usage_plan.code,
        rate_limit=usage_plan.rate_limit,
        burst_limit=usage_plan.burst_limit,
        quota_limit=usage_plan.quota_limit,
    )
    queue.on_commit("tenants.tasks.usage_plan_mirror", usage_plan.pk, queue="gateway_urgent")
    return usage_plan
