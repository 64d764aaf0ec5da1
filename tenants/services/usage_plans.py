"""Usage plans: what an operator edits, and what the gateway then gets (mirrors.py)."""

from django.db import transaction

from tenants import queue
from tenants.models import GatewayPlan, KeySlot, UsagePlan


@transaction.atomic
def usage_plan_save(*, usage_plan: UsagePlan) -> UsagePlan:
    """Validate and save a usage plan with its two mirrors; the gateway follows on commit.

    Raise django.core.exceptions.ValidationError where a limit is out of range.
    """
    usage_plan.full_clean()
    usage_plan.save()
    for slot in KeySlot:
        GatewayPlan.objects.get_or_create(usage_plan=usage_plan, slot=slot)
    queue.on_commit("tenants.tasks.usage_plan_mirror", usage_plan.pk, queue="gateway_urgent")
    return usage_plan
