"""Packs that are given back: first the requests, then, once nobody can have used them, the money.

    FULFILLED -> TAKING_BACK    the requests no longer count, and leave the keys' leases
    TAKING_BACK -> REFUNDED     they were certainly not used: credit note, and the money goes back
    TAKING_BACK -> FULFILLED    they were used after all: the pack counts again

Each step is one transaction that locks the order, so that a tenant never has both the requests and
the money, and never neither. Until it is known, which without the live meter may be after the
period, the order waits (docs/quota.md). A refund that a bank refuses becomes the tenant's credit.
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

import tenants.services
from billing.models import Order, OrderPurpose, OrderState
from billing.money import display
from billing.services.credit_notes import credit_note_issue
from billing.services.creditable import lines_left
from billing.services.refunds import credit_note_refund
from tenants.errors import NotInThisState, Refused
from tenants.models import User
from tenants.permissions import Act
from tenants.services import Release, mail_members

log = structlog.get_logger(__name__)


@transaction.atomic
def order_take_back(*, order: Order, actor: User | None, now: datetime) -> Order:
    """Begin to take a pack back; again it changes nothing.

    Raise Refused where it is known already that the money cannot go back: the period is over,
    requests of it are used, or it was credited.
    """
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    if order.state == OrderState.TAKING_BACK:
        return order
    if order.purpose != OrderPurpose.EXTENSION or order.state != OrderState.FULFILLED:
        raise NotInThisState(_("Only a pack that is paid can be given back."))
    if not _is_owed_back(order):
        raise NotInThisState(_("This pack's invoice was credited already."))
    tenants.services.quota_grant_withdraw(source=_source(order), now=now)
    order.state, order.taking_back_since = OrderState.TAKING_BACK, now
    order.save(update_fields=["state", "taking_back_since"])
    tenants.services.audit_record(
        action="order.taking_back",
        tenant=order.tenant,
        actor=actor,
        now=now,
        target=str(order.uuid),
    )
    return order


def taking_back_run(*, now: datetime) -> int:
    """Pay back, or restore, the packs of which that is known by now; return how many.

    Safe to run twice, in parallel and late; one order's failure stops no other.
    """
    waiting = Order.objects.filter(state=OrderState.TAKING_BACK).order_by("id")
    decided = 0
    for pk in list(waiting.values_list("pk", flat=True)):
        try:
            decided += _decide(pk, now)
        except Refused as refusal:
            log.warning("order.not_taken_back", order=pk, error=str(refusal))
        except Exception:
            log.exception("order.not_taken_back", order=pk)
    return decided


@transaction.atomic
def _decide(order_pk: int, now: datetime) -> bool:
    """Pay a pack back, or restore it; return whether it was known which."""
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order_pk)
    if order.state != OrderState.TAKING_BACK:
        return False
    release = tenants.services.grant_release(source=_source(order), now=now)
    with override(order.tenant.language):
        match release:
            case Release.UNUSED:
                _pay_back(order, now)
            case Release.USED:
                _restore(order, now)
    return release is not Release.UNKNOWN


def _pay_back(order: Order, now: datetime) -> None:
    tenants.services.quota_grant_return(source=_source(order), now=now)
    order.state = OrderState.REFUNDED
    order.save(update_fields=["state"])
    if not _is_owed_back(order):
        return  # an operator was faster
    note = credit_note_issue(
        invoice=order.invoice, reason=_("The pack was given back unused."), actor=None, now=now
    )
    credit_note_refund(credit_note=note, actor=None, now=now)
    mail_members(
        tenant=order.tenant,
        act=Act.BUY,
        kind="billing.pack_refunded",
        key=f"pack-refunded:{order.uuid}",
        context={
            "description": order.description,
            "amount": display(-note.total, note.currency, language=order.tenant.language),
            "credit_note": note.number,
            "invoice": order.invoice.number,
        },
        now=now,
    )


def _restore(order: Order, now: datetime) -> None:
    tenants.services.quota_grant_restore(source=_source(order), now=now)
    order.state = OrderState.FULFILLED
    order.save(update_fields=["state"])
    since = order.taking_back_since
    mail_members(
        tenant=order.tenant,
        act=Act.BUY,
        kind="billing.pack_kept",
        key=f"pack-kept:{order.uuid}:{since.isoformat() if since else ''}",
        context={"description": order.description},
        now=now,
    )


def _source(order: Order) -> str:
    return f"order:{order.uuid}"


def _is_owed_back(order: Order) -> bool:
    """Say whether anything of what was paid for an order has not been credited."""
    return sum(lines_left(invoice=order.invoice).values()) > 0
