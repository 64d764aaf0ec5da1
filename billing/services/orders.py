"""Orders: write them, fulfil them, expire them. Short transactions, no network.

Fulfilment is one transaction that locks the order first: however often and from wherever it is
called (webhook, return page, sweep), an order is fulfilled once.
"""

import uuid
from datetime import UTC, date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

import tenants.selectors
import tenants.services
from billing.models import (
    Currency,
    Customer,
    ExtensionPack,
    Order,
    OrderPurpose,
    OrderState,
    PackPrice,
    Subscription,
    SubscriptionState,
)
from billing.money import prorated
from billing.payments import CheckoutState
from billing.services.invoices import order_invoice_issue
from tenants import queue
from tenants.errors import NotInThisState, Refused
from tenants.models import GrantKind, QuotaPeriod, Tenant, User
from tenants.periods import period_of


def subscription_order(*, subscription: Subscription, actor: User, now: datetime) -> Order:
    """Write the order for a plan's first month, prorated by days, today included (UTC).

    Of a plan without a fee it is an order over nothing, which saves a card.
    """
    month = period_of(QuotaPeriod.MONTH, now)
    left = (month.end - now.astimezone(UTC).date()).days
    plan = subscription.plan
    return Order.objects.create(
        tenant=subscription.tenant,
        purpose=OrderPurpose.SUBSCRIPTION,
        token=f"subscription-{subscription.pk}",
        description=_("%(plan)s, %(left)d of %(days)d days")
        % {"plan": plan.name, "left": left, "days": month.days},
        currency=subscription.price.currency,
        amount=prorated(subscription.price.monthly_fee, days=left, of=month.days),
        subscription=subscription,
        period_start=month.start,
        period_end=month.end,
        created_by=actor,
        created_at=now,
    )


@transaction.atomic
def extension_order(
    *, tenant: Tenant, pack_code: str, token: str, actor: User | None, now: datetime
) -> Order:
    """Write the order for a pack at today's price, for the quota period that the buyer sees.

    `token` is the form's: the same one again returns the first order. Raise Refused for a pack
    that is not on sale.
    """
    tenant = Tenant.objects.select_for_update().select_related("usage_plan").get(pk=tenant.pk)
    existing = Order.objects.filter(tenant=tenant, token=token).first() if token else None
    if existing is not None:
        return existing
    pack = ExtensionPack.objects.filter(code=pack_code, is_active=True).first()
    currency = _currency(tenant)
    price = PackPrice.objects.filter(pack=pack, currency=currency).first()
    if pack is None or price is None:
        raise Refused(_("There is no pack “%(code)s” on sale.") % {"code": pack_code})
    if tenant.usage_plan.is_unlimited:
        raise Refused(_("Your plan has no quota to extend."))
    period = tenants.selectors.current_period(tenant=tenant, now=now)
    return Order.objects.create(
        tenant=tenant,
        purpose=OrderPurpose.EXTENSION,
        token=token or uuid.uuid4().hex,
        description=_("%(pack)s: %(requests)s extra requests")
        % {"pack": pack.name, "requests": f"{pack.requests:,}"},
        currency=currency,
        amount=price.amount,
        pack=pack,
        requests=pack.requests,
        period_start=period.start,
        period_end=period.end,
        created_by=actor,
        created_at=now,
    )


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
            "currency": _currency(tenant),
            "amount": 0,
            "period_start": month.start,
            "period_end": month.end,
            "created_by": actor,
            "created_at": now,
        },
    )
    return order


def _currency(tenant: Tenant) -> str:
    customer = Customer.objects.filter(tenant=tenant).first()
    return customer.currency if customer else Currency.USD


@transaction.atomic
def order_settle(*, order: Order, checkout: CheckoutState, now: datetime) -> Order:
    """Note what Checkout says of an order: paid, expired, or declined so far. Idempotent.

    A purchase that is paid after the period that the buyer was shown is refunded by itself.
    """
    order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
    if order.state not in {OrderState.PENDING, OrderState.EXPIRED}:
        return order
    if not checkout.is_paid:
        if checkout.status == "expired" and checkout.id == order.checkout_session_id:
            order.state = OrderState.EXPIRED
        order.decline_code = checkout.decline_code[:60]
        order.decline_message = checkout.decline_message[:300]
        order.save()
        return order
    order.payment_intent_id = checkout.payment_intent_id
    order.fulfilled_at = now
    order.state = OrderState.FULFILLED
    order.decline_code = order.decline_message = ""
    is_as_agreed = (checkout.amount, checkout.currency or order.currency) == (
        order.amount,
        order.currency,
    )
    if not (is_as_agreed and _deliver(order, now)):
        order.state = OrderState.REFUND_DUE
        queue.on_commit("billing.tasks.order_refund", order.pk, queue="default")
    order.save()
    if order.state == OrderState.FULFILLED:
        _card_keep(order, checkout)
        if order.amount:
            order_invoice_issue(order=order, now=now)
    return order


def _deliver(order: Order, now: datetime) -> bool:
    """Give what was bought; return whether that is still possible."""
    match order.purpose:
        case OrderPurpose.EXTENSION:
            try:
                tenants.services.quota_grant(
                    tenant=order.tenant,
                    requests=order.requests,
                    kind=GrantKind.EXTENSION,
                    source=f"order:{order.uuid}",
                    period_start=order.period_start,
                    now=now,
                )
            except NotInThisState:
                return False
        case OrderPurpose.SUBSCRIPTION:
            today = now.astimezone(UTC).date()
            if not order.period_start <= today < order.period_end or order.subscription is None:
                return False
            _subscription_start(order.subscription, today, now)
    return True


def _subscription_start(subscription: Subscription, today: date, now: datetime) -> None:
    """Begin a subscription that was waiting for its payment; the one before it ends."""
    Subscription.objects.filter(tenant=subscription.tenant, state=SubscriptionState.ACTIVE).update(
        state=SubscriptionState.CANCELLED, ends_on=today
    )
    subscription.state = SubscriptionState.ACTIVE
    subscription.starts_on = today
    subscription.save(update_fields=["state", "starts_on"])
    tenants.services.tenant_change_plan(
        tenant=subscription.tenant, usage_plan=subscription.plan.usage_plan, now=now
    )


def _card_keep(order: Order, checkout: CheckoutState) -> None:
    """Keep what may be shown of the card, and Stripe's id for it, for later charges."""
    if checkout.card is None:
        return
    Customer.objects.filter(tenant=order.tenant).update(
        payment_method_id=checkout.card.payment_method_id,
        card_brand=checkout.card.brand,
        card_last_four=checkout.card.last_four,
        card_exp_month=checkout.card.exp_month,
        card_exp_year=checkout.card.exp_year,
    )


@transaction.atomic
def order_decline(*, order_uuid: str, code: str, message: str) -> None:
    """Note why the bank declined; the order stays open for another try."""
    order = Order.objects.select_for_update().filter(uuid=order_uuid).first()
    if order is not None and order.state == OrderState.PENDING:
        order.decline_code, order.decline_message = code[:60], message[:300]
        order.save(update_fields=["decline_code", "decline_message"])
