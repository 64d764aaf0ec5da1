"""Holds: while any stands, none of the tenant's keys pass. Each is lifted by its owner alone."""

from datetime import datetime

from django.db import transaction

from tenants.models import Hold, HoldReason, Tenant, User
from tenants.services.audit import audit_record
from tenants.services.reconciling import URGENT, reconcile_request


@transaction.atomic
def hold_place(
    *,
    tenant: Tenant,
    reason: HoldReason,
    now: datetime,
    actor: User | None = None,
    note: str = "",
    lane: str = URGENT,
) -> Hold:
    """Place a hold; one for this reason that stands already is left as it is.

    The keys stop by the `lane` (reconciling.py).
    """
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    hold, is_new = Hold.objects.get_or_create(
        tenant=tenant, reason=reason, lifted_at=None, defaults={"note": note, "placed_at": now}
    )
    if is_new:
        audit_record(action="hold.placed", tenant=tenant, actor=actor, now=now, target=reason)
        reconcile_request(tenant=tenant, now=now, lane=lane)
    return hold


@transaction.atomic
def hold_lift(
    *, tenant: Tenant, reason: HoldReason, now: datetime, actor: User | None = None
) -> bool:
    """Lift the hold of this reason; return whether there was one."""
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    lifted = Hold.objects.filter(tenant=tenant, reason=reason, lifted_at=None).update(lifted_at=now)
    if lifted:
        audit_record(action="hold.lifted", tenant=tenant, actor=actor, now=now, target=reason)
        reconcile_request(tenant=tenant, now=now)
    return bool(lifted)
