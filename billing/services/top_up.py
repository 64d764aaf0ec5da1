"""Automatic top-ups: buy a pack by the saved card when a quota runs low.

An order is the intent, written by a run (top_up_all.py). Its UUID is the charge's idempotency key.
If we die after Stripe charged it, the same key gives the same answer, and after 23 hours, or once
the period is over, the charge is looked for by its metadata. A decline, or a bank that wants the
cardholder, turns top-ups off and says so.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

import tenants.selectors
import tenants.services
from billing import declines, payments, selectors
from billing.models import AutoTopUp, Customer, ExtensionPack, Order, OrderState, SavedCard
from billing.money import display
from billing.payments import IntentState
from billing.services.fulfilment import order_charged
from billing.services.orders import is_deliverable
from tenants.errors import Refused
from tenants.models import Tenant, User
from tenants.permissions import Act
from tenants.services import mail_members

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


@transaction.atomic
def auto_top_up_set(
    *, tenant: Tenant, pack_code: str, percent: int, most_per_period: int, actor: User | None,
    now: datetime,
) -> AutoTopUp:  # fmt: skip
    """Have a pack bought by itself below `percent` remaining, so often in a period at most.

    Raise Refused where there is no card to charge, or no such pack.
    """
    tenant = (
        Tenant.objects.select_for_update(of=("self",))
        .select_related("usage_plan")
        .get(pk=tenant.pk)
    )
    tenants.services.tenant_open_check(tenant=tenant)
    pack = ExtensionPack.objects.filter(code=pack_code, is_active=True).first()
    if pack is None:
        raise Refused(_("There is no pack “%(code)s” on sale.") % {"code": pack_code})
    if not selectors.takes_packs(tenant=tenant):
        raise Refused(_("Your plan has no quota to extend."))
    if not card_saved(tenant):
        raise Refused(_("There is no saved card to charge."))
    if not (1 <= percent <= 99 and 1 <= most_per_period <= 100):
        raise Refused(_("Choose 1 to 99 percent, and 1 to 100 packs."))
    values = {"percent": percent, "most_per_period": most_per_period}
    setting, _is_new = AutoTopUp.objects.update_or_create(
        tenant=tenant,
        defaults={**values, "pack": pack, "is_on": True, "off_reason": "", "set_at": now},
    )
    tenants.services.audit_record(
        action="top_up.set", tenant=tenant, actor=actor, now=now, target=pack.code, **values
    )
    return setting


@transaction.atomic
def auto_top_up_stop(*, tenant: Tenant, actor: User | None, now: datetime) -> None:
    """Buy no more by itself. What is being charged already is."""
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if AutoTopUp.objects.filter(tenant=tenant, is_on=True).update(is_on=False, off_reason=""):
        tenants.services.audit_record(action="top_up.stopped", tenant=tenant, actor=actor, now=now)


def top_up_charge(*, order: Order, clock: Clock) -> Order:
    """Charge a top-up, or look what became of the charge. Raise PaymentUnavailable."""
    if order.state != OrderState.PENDING:
        return order
    try:
        intent = _intent(order, clock())
    except payments.PaymentDeclined as decline:
        if decline.payment_intent_id:
            # Nobody shall confirm it later, when another pack was bought by hand.
            intent = payments.intent_cancel(intent_id=decline.payment_intent_id)
            if intent.status == "succeeded":
                return top_up_settle(order=order, intent=intent, now=clock())
        return _give_up(order, code=decline.code, message=decline.message, now=clock())
    except payments.PaymentRefused as refusal:  # below the smallest charge, a card that is gone
        return _give_up(order, code=refusal.code, message="", now=clock())
    if intent is None:
        Order.objects.filter(pk=order.pk, state=OrderState.PENDING).update(state=OrderState.EXPIRED)
        order.refresh_from_db()
        return order
    if intent.status in {"requires_action", "requires_payment_method", "requires_confirmation"}:
        intent = payments.intent_cancel(intent_id=intent.id)
    return top_up_settle(order=order, intent=intent, now=clock())


def _intent(order: Order, now: datetime) -> IntentState | None:
    """Return the charge of a top-up, made where there is none; None once it is too late to."""
    customer = Customer.objects.get(tenant=order.tenant_id)
    metadata = {"order": str(order.uuid)}
    is_over = not is_deliverable(order=order, now=now)
    if is_over or now - order.created_at > payments.KEYS_LIVE:
        found = payments.intent_find(customer_id=customer.stripe_id, metadata=metadata)
        if found is not None or is_over:
            return found
    return payments.intent_create(
        customer_id=customer.stripe_id,
        payment_method_id=order.payment_method_id,
        currency=order.currency,
        amount=order.amount,
        description=order.description,
        metadata=metadata,
        idempotency_key=f"topup-{order.uuid}",
    )


@transaction.atomic
def top_up_settle(*, order: Order, intent: IntentState, now: datetime) -> Order:
    """Note what Stripe says of a top-up's charge. Idempotent."""
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    if intent.status == "canceled" and order.state == OrderState.PENDING:
        return _give_up(order, code=intent.decline_code, message=intent.decline_message, now=now)
    if intent.status != "succeeded":
        return order  # the bank is still at it
    order = order_charged(order=order, intent=intent, now=now)
    if order.state == OrderState.FULFILLED:
        _tell_bought(order, now)
    return order


def card_saved(tenant: Tenant) -> str:
    """Return Stripe's id of the saved card; empty where there is none."""
    customer = Customer.objects.filter(tenant=tenant).exclude(stripe_id="").first()
    return customer.payment_method_id if customer else ""


@transaction.atomic
def _give_up(order: Order, *, code: str, message: str, now: datetime) -> Order:
    """End a top-up that was not paid, and turn off those to come."""
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    if order.state == OrderState.PENDING:
        order.state = OrderState.EXPIRED
        order.decline_code, order.decline_message = code[:60], message[:300]
        order.save(update_fields=["state", "decline_code", "decline_message"])
        with override(order.tenant.language):
            reason = declines.in_words(code, message)
            top_up_turn_off(
                order.tenant,
                reason or _("The saved card cannot be charged. Please save another."),
                now,
            )
    return order


def top_up_turn_off(tenant: Tenant, reason: str, now: datetime) -> None:
    """Buy no more by itself, and tell the tenant why."""
    setting = AutoTopUp.objects.filter(tenant=tenant, is_on=True).select_related("pack").first()
    if setting is None:
        return
    setting.is_on, setting.off_reason = False, reason[:300]
    setting.save(update_fields=["is_on", "off_reason"])
    mail_members(
        tenant=tenant,
        act=Act.BUY,
        kind="billing.top_up_off",
        key=f"top-up-off:{setting.pk}:{setting.set_at.isoformat()}",
        context={"pack": setting.pack.name, "reason": reason},
        now=now,
    )


def _tell_bought(order: Order, now: datetime) -> None:
    bought = Order.objects.filter(
        tenant=order.tenant, is_top_up=True, period_start=order.period_start,
        period_end=order.period_end,
    ).exclude(state=OrderState.EXPIRED)  # fmt: skip
    setting = AutoTopUp.objects.filter(tenant=order.tenant).first()
    card = SavedCard.objects.filter(stripe_id=order.payment_method_id).first()
    mail_members(
        tenant=order.tenant,
        act=Act.BUY,
        kind="billing.top_up_bought",
        key=f"top-up:{order.uuid}",
        context={
            "description": order.description,
            "amount": display(order.amount, order.currency, language=order.tenant.language),
            "card": card.last_four if card else "",
            "invoice": order.invoice.number,
            "count": bought.count(),
            "most": setting.most_per_period if setting else 0,
        },
        now=now,
    )
