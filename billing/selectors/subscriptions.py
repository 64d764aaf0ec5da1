"""The plan that a tenant has, and what is to come of it."""

from datetime import UTC, date, datetime, timedelta

from django.utils.translation import gettext as _

from billing.models import (
    ChangeState,
    Order,
    OrderPurpose,
    OrderState,
    PlanChange,
    PriceMove,
    Subscription,
    SubscriptionState,
)
from billing.money import display
from billing.spending import usage_rows
from billing.usage_prices import price_in_words, priced
from tenants.models import QuotaPeriod, Tenant
from tenants.periods import period_of


def subscription_held(*, tenant: Tenant) -> Subscription | None:
    """Return the subscription that the tenant has; None for one that never signed up for a plan."""
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    return active.select_related("plan__usage_plan", "price").first()


def plan_order_waiting(*, tenant: Tenant) -> Order | None:
    """Return the newest order for a plan that waits for its payment, if any."""
    waiting = Order.objects.filter(
        tenant=tenant,
        purpose__in=[OrderPurpose.SUBSCRIPTION, OrderPurpose.CHANGE],
        subscription__state=SubscriptionState.INCOMPLETE,
        state__in=[OrderState.PENDING, OrderState.EXPIRED],  # checkout begins an expired one again
    )
    awaited = waiting.select_related(
        "tenant__usage_plan", "subscription__plan", "subscription__price"
    )
    return awaited.order_by("-id").first()


def subscription_row(*, tenant: Tenant, now: datetime) -> dict[str, object]:
    """Return the tenant's plan for the overview, and the plan that waits for payment, if any."""
    active = subscription_held(tenant=tenant)
    month = period_of(QuotaPeriod.MONTH, now)
    row: dict[str, object] = {
        "pending": plan_order_waiting(tenant=tenant),
        "change": plan_change_to_come(tenant=tenant),
        "period_start": month.start,
        "period_end": month.end - timedelta(days=1),
    }
    if active is not None:
        fee = display(active.price.monthly_fee, active.price.currency)
        steps = priced(active.plan, active.price)
        row |= {
            "plan_name": active.plan.name,
            "plan_code": active.plan.code,
            "trial_ends_on": day_to_come(active.trial_ends_on, now),
            "state": active.state,
            "state_label": active.get_state_display(),
            "price_display": (_("%(fee)s a month, plus usage") if steps else _("%(fee)s a month"))
            % {"fee": fee},
            "usage": usage_rows(active, now),
            "move": _price_move(active),
        }
    return row


def plan_change_to_come(*, tenant: Tenant) -> PlanChange | None:
    """Return the change of plan that is to come, if any."""
    scheduled = PlanChange.objects.filter(tenant=tenant, state=ChangeState.SCHEDULED)
    return scheduled.select_related("plan__usage_plan", "price").first()


def price_move_to_come(*, subscription: Subscription) -> PriceMove | None:
    """Return the move to another price that is to come, if any."""
    scheduled = PriceMove.objects.filter(subscription=subscription, state=ChangeState.SCHEDULED)
    return scheduled.select_related("price").first()


def _price_move(subscription: Subscription) -> dict[str, object] | None:
    """Return the price that is to come, and its first day."""
    move = price_move_to_come(subscription=subscription)
    if move is None:
        return None
    return {"price": price_in_words(subscription.plan, move.price), "on": move.takes_effect_on}


def day_to_come(day: date | None, now: datetime) -> date | None:
    """Return a UTC day that is still to come."""
    return day if day is not None and day > now.astimezone(UTC).date() else None
