"""Who subscribes to what: one subscription ends on the day on which another begins.

Call these inside a transaction that has locked the tenant.
"""

from datetime import date, datetime

import tenants.services
from billing.models import (
    ChangeState,
    Order,
    OrderState,
    PlanChange,
    PriceMove,
    Subscription,
    SubscriptionState,
)
from billing.services.caps import cap_follow
from billing.services.news import subscription_tell
from tenants import queue
from tenants.models import Tenant, User


def subscription_switch(
    *,
    begins: Subscription,
    ends: Subscription,
    on: date,
    fee_until: date,
    now: datetime,
    actor: User | None = None,
) -> Subscription:
    """End a tenant's subscription and begin another on `on` (UTC), which may be past.

    `begins` says from when its own fee is billed, `fee_until` until when that of the other is.
    What else was offered, or was to become of the one that ends, was for a plan that is no more.
    """
    ends.state = SubscriptionState.CANCELLED
    ends.ends_on = on
    ends.fee_until = fee_until
    ends.save(update_fields=["state", "ends_on", "fee_until"])
    begins.state = SubscriptionState.ACTIVE
    begins.starts_on = on
    begins.save()
    waiting_cancel(tenant=ends.tenant)
    PriceMove.objects.filter(subscription=ends, state=ChangeState.SCHEDULED).update(
        state=ChangeState.WITHDRAWN, settled_at=now
    )
    tenants.services.tenant_change_plan(
        tenant=ends.tenant, usage_plan=begins.plan.usage_plan, on=on, actor=actor, now=now
    )
    cap_follow(tenant=ends.tenant, now=now, begins_on=on)  # a price alone is no news of the plan
    subscription_tell(subscription=begins, now=now)
    return begins


def pages_check(*, tenant: Tenant) -> None:
    """Queue, on commit, a look at the open pages: what cannot be had any more is closed."""
    orders = Order.objects.filter(tenant=tenant, state=OrderState.PENDING, is_top_up=False)
    for pk in orders.exclude(checkout_session_id="").values_list("pk", flat=True):
        queue.on_commit("billing.tasks.order_check", pk, queue="default")


def waiting_cancel(*, tenant: Tenant) -> int:
    """Give up what waits for its payment; paid all the same, it is paid back by itself.

    On commit the pages are looked at, also those of packs that the plan may not take any more.
    """
    pages_check(tenant=tenant)
    waiting = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.INCOMPLETE)
    return waiting.update(state=SubscriptionState.CANCELLED)


def plan_change_withdraw(*, tenant: Tenant, now: datetime) -> int:
    """Withdraw the change of plan that is to come, if any; return how many."""
    scheduled = PlanChange.objects.filter(tenant=tenant, state=ChangeState.SCHEDULED)
    return scheduled.update(state=ChangeState.WITHDRAWN, settled_at=now)
