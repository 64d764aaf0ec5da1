"""Orders: write them, and renew what they offer. Short transactions, no network."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

import tenants.selectors
import tenants.services
from billing import selectors
from billing.models import (
    ExtensionPack,
    Order,
    OrderPurpose,
    OrderState,
    PackPrice,
    Subscription,
    Unused,
)
from billing.models.orders import UNPAID
from billing.services.invoices import order_lines
from billing.services.plan_orders import (
    is_awaited,
    is_on_sale,
    plan_frozen,
    takes_back_too_much,
)
from billing.tax_tables import priced, taxes_today
from tenants.errors import Refused
from tenants.models import QuotaPeriod, Tenant, TenantState, User
from tenants.periods import period_of


@transaction.atomic
def extension_order(
    *,
    tenant: Tenant,
    pack_code: str,
    token: str,
    actor: User | None,
    now: datetime,
    card: str = "",
) -> Order:
    """Write the order for a pack at today's price, for the quota period that the buyer sees.

    `token` is the form's: the same one again returns the first order. With a `card`, Stripe's id of
    a saved one, it is an automatic top-up, which no Checkout takes. Raise Refused for a pack that
    is not on sale, and where its tax cannot be stated.
    """
    tenant = (
        Tenant.objects.select_for_update(of=("self",))
        .select_related("usage_plan")
        .get(pk=tenant.pk)
    )
    existing = Order.objects.filter(tenant=tenant, token=token).first() if token else None
    if existing is not None:
        return existing
    tenants.services.tenant_open_check(tenant=tenant)
    pack = ExtensionPack.objects.filter(code=pack_code, is_active=True).first()
    currency = selectors.currency_of(tenant=tenant)
    price = PackPrice.objects.filter(pack=pack, currency=currency).first()
    if pack is None or price is None:
        raise Refused(_("There is no pack “%(code)s” on sale.") % {"code": pack_code})
    if not selectors.takes_packs(tenant=tenant):
        raise Refused(_("Your plan has no quota to extend."))
    period = tenants.selectors.current_period(tenant=tenant, now=now)
    order = Order(
        tenant=tenant,
        purpose=OrderPurpose.EXTENSION,
        token=token or uuid.uuid4().hex,
        description=_("%(pack)s: %(requests)s extra requests")
        % {"pack": pack.name, "requests": f"{pack.requests:,}"},
        currency=currency,
        **priced(tenant=tenant, net=price.amount, now=now),
        pack=pack,
        requests=pack.requests,
        rolls_over=pack.unused == Unused.ROLL_OVER,
        is_top_up=bool(card),
        payment_method_id=card,
        period_start=period.start,
        period_end=period.end,
        created_by=actor,
        created_at=now,
    )
    _tax_check(order, now)
    order.save()
    return order


@transaction.atomic
def card_order(*, tenant: Tenant, token: str, actor: User | None, now: datetime) -> Order:
    """Write an order over nothing, to save a card at Checkout."""
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    month = period_of(QuotaPeriod.MONTH, now)
    order, _is_new = Order.objects.get_or_create(
        tenant=tenant,
        token=token or uuid.uuid4().hex,
        defaults={
            "purpose": OrderPurpose.CARD,
            "description": _("Save a card"),
            "currency": selectors.currency_of(tenant=tenant),
            "amount": 0,
            "period_start": month.start,
            "period_end": month.end,
            "created_by": actor,
            "created_at": now,
        },
    )
    return order


def is_current(*, order: Order, now: datetime) -> bool:
    """Say whether what an order froze may still be sold: its period runs, what it comes to and its
    tax are today's. Of a plan that holds also where there is nothing to pay: a card alone is saved
    for as long as the change costs nothing.
    """
    if not is_deliverable(order=order, now=now):
        return False
    if order.subscription is not None:
        return is_on_sale(order.subscription) and _is_todays(order, order.subscription, now)
    return not order.amount or bool(_taxed_today(order, now)["taxation"] == order.taxation)


def is_deliverable(*, order: Order, now: datetime) -> bool:
    """Say whether what was ordered can still be had: a pack in its period, on a plan that takes
    packs; a plan until another has begun, or what was paid for the old one went back otherwise.
    By a tenant that is being deleted nothing can, but for saving a card.
    """
    if order.purpose != OrderPurpose.CARD and order.tenant.state != TenantState.ACTIVE:
        return False
    if order.purpose == OrderPurpose.EXTENSION:
        return _runs(order, now) and selectors.takes_packs(tenant=order.tenant)
    return order.subscription is None or (
        is_awaited(order.subscription) and not takes_back_too_much(order)
    )


def _is_todays(order: Order, subscription: Subscription, now: datetime) -> bool:
    """Say whether an order for a plan is what it would be if it were written today (UTC)."""
    today = plan_frozen(subscription, now)
    names = ("starts_on", "amount", "taxation")
    return all(getattr(order, name) == today[name] for name in names)


def _runs(order: Order, now: datetime) -> bool:
    """Say whether the quota period that an order is for is the current one."""
    period = tenants.selectors.current_period(tenant=order.tenant, now=now)
    return order.period_start == period.start


def _taxed_today(order: Order, now: datetime) -> dict[str, Any]:
    """Return the amounts of an order over the same, as its buyer is taxed today."""
    return priced(tenant=order.tenant, net=order.amount - order.tax, now=now)


def _tax_check(order: Order, now: datetime) -> None:
    """Raise Refused where the tax on an order cannot be stated: once it is paid it is too late."""
    if not order.amount:
        return
    taxes_today(tenant=order.tenant, currency=order.currency, lines=order_lines(order), now=now)


@transaction.atomic
def order_renew(*, order: Order, now: datetime) -> Order:
    """Make an unpaid order ready for a new Checkout Session; its last one, if any, is over.

    A plan is priced afresh when it comes to something else, as on another day; anything when its
    tax is another. Raise Refused for a pack whose period is over, a plan that has another price
    now or is not sold any more, and a change from a plan that was left, as the buyer was shown
    another, and where the tax cannot be stated. An order that is paid, or that another
    request has renewed meanwhile, is returned as it is.
    """
    over = order.checkout_session_id
    order = (
        Order.objects.select_for_update(of=("self",))
        .select_related("tenant__usage_plan", "subscription__plan", "subscription__price")
        .get(pk=order.pk)
    )
    if order.state not in UNPAID or order.checkout_session_id != over:
        return order
    is_fresh = is_current(order=order, now=now)
    if not is_fresh:
        for name, value in _offer(order, now).items():
            setattr(order, name, value)
    _tax_check(order, now)
    if is_fresh and order.state == OrderState.PENDING and not over:
        return order  # never got to Checkout, or nobody knows: the same key gives the same session
    order.attempt += 1
    order.state = OrderState.PENDING
    order.checkout_session_id = order.decline_code = order.decline_message = ""
    order.checked_at = None
    order.save()
    return order


def _offer(order: Order, now: datetime) -> dict[str, Any]:
    """Return today's values of an order's frozen fields. Raise Refused where it cannot be had."""
    if order.purpose != OrderPurpose.CARD:
        tenants.services.tenant_open_check(tenant=order.tenant)
    if order.subscription is not None:
        if not is_awaited(order.subscription):
            raise Refused(_("Your plan has changed since. Please choose again."))
        if not is_on_sale(order.subscription):
            raise Refused(_("This plan is not sold at this price any more. Please choose again."))
        return plan_frozen(order.subscription, now)
    if not _runs(order, now):
        raise Refused(_("The period that this was for is over. Please choose again."))
    if not selectors.takes_packs(tenant=order.tenant):
        raise Refused(_("Your plan has no quota to extend."))
    return _taxed_today(order, now)
