"""Change plan: at once, by an order that is paid at Checkout, or at the end of the month."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import Order, PlanChange, Subscription, SubscriptionState
from billing.services.changes import tenant_at_its_plan
from billing.services.offers import Offer, has_card, offer
from billing.services.plan_orders import change_order
from billing.services.subscriptions import (
    plan_change_withdraw,
    subscription_switch,
    waiting_cancel,
)
from tenants.errors import AmountChanged, Refused
from tenants.models import Tenant, User
from tenants.services import audit_record, tenant_open_check


@transaction.atomic
def plan_offer(*, tenant: Tenant, plan_code: str, now: datetime, at_once: bool = False) -> Offer:
    """Return what changing to a public plan means now. Raise Refused where that cannot be."""
    tenant = tenant_at_its_plan(tenant=tenant, now=now)
    return offer(tenant=tenant, plan_code=plan_code, now=now, at_once=at_once)


@transaction.atomic
def plan_change(
    *,
    tenant: Tenant,
    plan_code: str,
    shown: int,
    token: str,
    actor: User | None,
    now: datetime,
    at_once: bool = False,
) -> Order | None:
    """Change a tenant's plan; return the order that has to be paid first, if any.

    To a cheaper plan it is changed at the month's end, or `at_once`.
    `shown` is what the page said is to pay at once, in minor units; `token` is the form's: the
    same one again returns the first order. Raise Refused for a plan that cannot be had and where a
    change at the month's end lacks the card it will need, AmountChanged for another amount than the
    one shown.
    """
    tenant = tenant_at_its_plan(tenant=tenant, now=now)
    existing = Order.objects.filter(tenant=tenant, token=token).first() if token else None
    if existing is not None:
        return existing
    tenant_open_check(tenant=tenant)
    made = offer(tenant=tenant, plan_code=plan_code, now=now, at_once=at_once)
    if made.amount != shown:
        raise AmountChanged(_("The amount has changed. Please look at it again."))
    is_card_missing = made.needs_card and not has_card(tenant=tenant)
    if not made.is_now:
        if is_card_missing:
            raise Refused(_("Save a card first: this plan is charged to it."))
        _schedule(made, actor, now)
        return None
    if made.amount or is_card_missing:
        return change_order(offer=made, token=token, actor=actor, now=now)
    begins = Subscription(
        tenant=tenant, plan=made.plan, price=made.price, state=SubscriptionState.INCOMPLETE,
        created_at=now,
    )  # fmt: skip
    subscription_begin(begins=begins, made=made, now=now, actor=actor)
    return None


def subscription_begin(
    *,
    begins: Subscription,
    made: Offer,
    now: datetime,
    on: date | None = None,
    actor: User | None = None,
) -> None:
    """Begin, at once, what an offer was of; its days of this month are paid, or on trial.

    `on` is the day that the offer was made, where that is past: a payment over midnight.
    """
    begins.trial_ends_on = made.trial_ends_on
    begins.owes_setup = made.owes_setup
    begins.fee_from = made.trial_ends_on or made.month.end
    on = on or made.takes_effect_on
    trial = made.replaces.trial_ends_on
    plan_change_withdraw(tenant=begins.tenant, now=now)
    subscription_switch(
        begins=begins,
        ends=made.replaces,
        on=on,
        fee_until=trial if trial is not None and on < trial else made.month.end,
        actor=actor,
        now=now,
    )


def _schedule(made: Offer, actor: User | None, now: datetime) -> None:
    tenant = made.replaces.tenant
    plan_change_withdraw(tenant=tenant, now=now)
    waiting_cancel(tenant=tenant)
    PlanChange.objects.create(
        tenant=tenant,
        plan=made.plan,
        price=made.price,
        takes_effect_on=made.takes_effect_on,
        created_by=actor,
        created_at=now,
    )
    audit_record(
        action="plan_change.scheduled",
        tenant=tenant,
        actor=actor,
        now=now,
        target=made.plan.code,
        takes_effect_on=made.takes_effect_on.isoformat(),
    )


@transaction.atomic
def plan_keep(*, tenant: Tenant, now: datetime, actor: User | None = None) -> bool:
    """Take back what was to become of the plan: a change to come, or one that waits for payment.

    Return whether there was one; what is due already has happened.
    """
    tenant = tenant_at_its_plan(tenant=tenant, now=now)
    withdrawn = plan_change_withdraw(tenant=tenant, now=now)
    is_kept = bool(waiting_cancel(tenant=tenant) + withdrawn)
    if is_kept:
        audit_record(action="plan_change.withdrawn", tenant=tenant, actor=actor, now=now)
    return is_kept
