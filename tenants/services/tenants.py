"""Tenants: sign up, change plan, rename."""

from datetime import UTC, date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.errors import Invalid
from tenants.models import Member, PlanSpan, Role, Tenant, UsagePlan, User
from tenants.names import tidied
from tenants.services.api_keys import first_key_create
from tenants.services.audit import audit_record
from tenants.services.outbox import outbox_publish
from tenants.services.quota import entitlement_ensure
from tenants.services.reconciling import reconcile_request


@transaction.atomic
def tenant_create(
    *, name: str, owner: User, usage_plan: UsagePlan, now: datetime, language: str = "en"
) -> Tenant:
    """Create a tenant with its owner, its entitlement and a PENDING key; the key follows on commit.

    Raise Invalid without a name. Two tenants may have the same one.
    """
    name = tidied(name)
    if not name:
        raise Invalid(_("Give your organisation a name."), field="name")
    tenant = Tenant.objects.create(
        name=name, usage_plan=usage_plan, language=language, created_at=now
    )
    Member.objects.create(tenant=tenant, user=owner, role=Role.OWNER, created_at=now)
    PlanSpan.objects.create(
        tenant=tenant, usage_plan=usage_plan, starts_on=now.astimezone(UTC).date()
    )
    entitlement_ensure(tenant=tenant, now=now)
    first_key_create(tenant=tenant, actor=owner, now=now)
    audit_record(action="tenant.created", tenant=tenant, actor=owner, now=now, name=name)
    reconcile_request(tenant=tenant, now=now)
    return tenant


@transaction.atomic
def tenant_change_plan(
    *,
    tenant: Tenant,
    usage_plan: UsagePlan,
    now: datetime,
    on: date | None = None,
    actor: User | None = None,
) -> Tenant:
    """Move a tenant to another usage plan; the same one again does nothing.

    The plan is held from `on` (UTC, today without it), which may be past, but not before the day
    on which the plan that is left began. What was used in this period counts on: the entitlement
    is prorated by days, and the move in the gateway sets what remains of it.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if tenant.usage_plan_id == usage_plan.pk:
        return tenant
    day = on or now.astimezone(UTC).date()
    PlanSpan.objects.filter(tenant=tenant, ends_on=None).update(ends_on=day)
    PlanSpan.objects.create(tenant=tenant, usage_plan=usage_plan, starts_on=day)
    previous, tenant.usage_plan = tenant.usage_plan, usage_plan
    tenant.save(update_fields=["usage_plan"])
    entitlement_ensure(tenant=tenant, now=now)
    audit_record(
        action="tenant.plan_changed",
        tenant=tenant,
        actor=actor,
        now=now,
        target=usage_plan.code,
        previous=previous.code,
    )
    outbox_publish(kind="tenant.plan_changed", tenant=tenant, now=now, usage_plan=usage_plan.code)
    reconcile_request(tenant=tenant, now=now)
    return tenant


@transaction.atomic
def tenant_update(
    *,
    tenant: Tenant,
    name: str | None = None,
    language: str | None = None,
    actor: User | None,
    now: datetime,
) -> Tenant:
    """Change a tenant's name or language; None stays. Raise Invalid for an empty name.

    What functions at the edge know of it follows by the outbox.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    name = tenant.name if name is None else tidied(name)
    if not name:
        raise Invalid(_("Give your organisation a name."), field="name")
    previous = {"name": tenant.name, "language": tenant.language}
    tenant.name, tenant.language = name, language or tenant.language
    tenant.save(update_fields=["name", "language"])
    audit_record(
        action="tenant.updated", tenant=tenant, actor=actor, now=now, previous=previous, name=name
    )
    outbox_publish(kind="tenant.updated", tenant=tenant, now=now)
    return tenant
