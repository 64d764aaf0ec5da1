"""A tenant asks to be deleted, and may change its mind for some days: docs/leaving.md.

Its keys stop at once, and it takes nothing new on. What comes after the grace is in leaving_end.py.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from tenants.errors import NotInThisState
from tenants.models import HoldReason, Tenant, TenantState, User
from tenants.permissions import Act
from tenants.services.audit import audit_record
from tenants.services.holds import hold_lift, hold_place
from tenants.services.mails import mail_members
from tenants.services.outbox import outbox_publish
from tenants.services.reconciling import STOP


@transaction.atomic
def tenant_leave(*, tenant: Tenant, actor: User | None, now: datetime) -> Tenant:
    """Stop a tenant's keys, and have it deleted when the grace is over; its owners are told.

    Raise NotInThisState where it is being deleted already.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if tenant.state != TenantState.ACTIVE:
        raise NotInThisState(_("This organisation is being deleted already."))
    closes_at = now + timedelta(days=settings.DELETION_GRACE_DAYS)
    tenant.state, tenant.closes_at = TenantState.CLOSING, closes_at
    tenant.save(update_fields=["state", "closes_at"])
    hold_place(tenant=tenant, reason=HoldReason.DELETION, actor=actor, now=now, lane=STOP)
    _tell(tenant, "tenant.closing", actor, now, closes_at=closes_at.isoformat())
    return tenant


@transaction.atomic
def tenant_keep(*, tenant: Tenant, actor: User | None, now: datetime) -> Tenant:
    """Keep a tenant after all: its keys work again; its owners are told.

    Raise NotInThisState where it is not being deleted, or the grace is over.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if tenant.state == TenantState.ACTIVE:
        raise NotInThisState(_("This organisation is not being deleted."))
    closes_at = tenant.closes_at
    if closes_at is None or closes_at <= now or tenant.leaving_parts.exists():
        raise NotInThisState(_("It is too late: the deletion has begun."))
    tenant.state, tenant.closes_at = TenantState.ACTIVE, None
    tenant.save(update_fields=["state", "closes_at"])
    hold_lift(tenant=tenant, reason=HoldReason.DELETION, actor=actor, now=now)
    _tell(tenant, "tenant.kept", actor, now, closes_at=closes_at.isoformat())
    return tenant


def tenant_open_check(*, tenant: Tenant) -> None:
    """Raise NotInThisState where a tenant is being deleted: it takes nothing new on.

    The tenant's row is read anew; lock it first where that matters.
    """
    if Tenant.objects.filter(pk=tenant.pk, state=TenantState.ACTIVE).exists():
        return
    raise NotInThisState(
        _("This organisation is being deleted, so it takes nothing new on. An owner can keep it.")
    )


def _tell(tenant: Tenant, what: str, actor: User | None, now: datetime, *, closes_at: str) -> None:
    """Note it, and tell owners by mail and listeners by webhook.

    The mail says as much of who it was as the audit trail does: of operators nothing.
    """
    noted = audit_record(action=what, tenant=tenant, actor=actor, now=now, closes_at=closes_at)
    outbox_publish(kind=what, tenant=tenant, now=now, closes_at=closes_at)
    with override(tenant.language):
        context = {
            "by": noted.actor_name,
            "day": date_format(datetime.fromisoformat(closes_at)),
        }
    mail_members(
        tenant=tenant, act=Act.CLOSE, kind=f"tenants.{what.removeprefix('tenant.')}",
        key=f"{what}:{tenant.uuid}:{now.isoformat()}", context=context, now=now,
    )  # fmt: skip
