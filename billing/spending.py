"""What usage comes to so far: what a spending cap is on, and what the billing page says of it."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from billing import tiers
from billing.capped import most_charged
from billing.dues import charged, month_of, usage_days
from billing.models import SpendingCap, Subscription, SubscriptionState
from billing.money import display, major
from billing.usage import usage_counted
from billing.usage_prices import in_words, priced
from tenants.models import Meter, QuotaPeriod, Tenant
from tenants.periods import Period


@dataclass(frozen=True)
class Spent:
    """A month's requests of a subscription, and what they cost: minor units, before tax."""

    requests: int
    cost: int


def requests_spent(
    *, tenant_ids: Collection[int], month: Period
) -> Mapping[int, Mapping[Subscription, Spent]]:
    """Return what was spent under all subscriptions of a month, by the tenant's id; in as many
    queries for many as for one.
    """
    begun = Subscription.objects.filter(tenant__in=tenant_ids, starts_on__lt=month.end)
    begun = begun.exclude(ends_on__lt=month.start).select_related("plan", "price")
    days = {
        each: held
        for each in begun.prefetch_related("price__tiers")
        if (held := usage_days(each, month)) is not None
    }
    read = usage_counted(
        {each.pk: held for each, held in days.items()}, list(days), [Meter.REQUESTS]
    )
    most = most_charged(subscriptions=list(days), month=month)
    spent: dict[int, dict[Subscription, Spent]] = defaultdict(dict)
    for each in days:
        used = read[each.pk].get(Meter.REQUESTS, 0)
        steps = priced(each.plan, each.price).get(Meter.REQUESTS, [])
        cost = tiers.price(steps, charged(Meter.REQUESTS, used, most.get(each.pk)))
        spent[each.tenant_id][each] = Spent(used, cost)
    return spent


def requests_cost(*, tenant: Tenant, now: datetime) -> int:
    """Return what a tenant's requests of the current month cost so far: minor units, before tax."""
    month = month_of(now.astimezone(UTC).date())
    spent = requests_spent(tenant_ids=[tenant.pk], month=month).get(tenant.pk, {})
    return sum(each.cost for each in spent.values())


def cap_row(*, tenant: Tenant, now: datetime) -> dict[str, object] | None:
    """Return the cap, ready to show, and how much of it this month's requests have cost; None on a
    plan where there is nothing to cap.

    `amount` is in the currency's own unit, as the form has it; empty without a cap.
    """
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    subscription = active.select_related("plan__usage_plan", "price").first()
    if subscription is None or Meter.REQUESTS not in priced(subscription.plan, subscription.price):
        return None
    if subscription.plan.usage_plan.quota_period != QuotaPeriod.MONTH:
        return None
    currency = subscription.price.currency
    cap = SpendingCap.objects.filter(tenant=tenant).first()
    row: dict[str, object] = {"currency": currency, "amount": "", "step": str(major(1, currency))}
    if cap is not None:
        cost = requests_cost(tenant=tenant, now=now)
        row |= {
            "spent": display(cost, cap.currency),
            "percent": cost * 100 // cap.amount if cap.amount else 100,
            "amount": str(major(cap.amount, cap.currency)),
            "display": display(cap.amount, cap.currency),
            "requests": cap.requests,
        }
    return row


def usage_rows(subscription: Subscription, now: datetime) -> list[dict[str, object]]:
    """Return what is priced of this month's usage: how, how many so far, and what that comes to.

    Counted as the close does; nothing in a trial.
    """
    steps = priced(subscription.plan, subscription.price)
    month = month_of(now.astimezone(UTC).date())
    days = usage_days(subscription, month)
    used: Mapping[Meter, int] = {}
    if days and steps:
        used = usage_counted({subscription.pk: days}, [subscription], list(steps))[subscription.pk]
    most = most_charged(subscriptions=[subscription], month=month).get(subscription.pk)
    currency = subscription.price.currency
    return [
        {
            "meter": meter.label,
            "prices": in_words(meter, graduated, currency),
            "used": count,
            "amount": display(tiers.price(graduated, charged(meter, count, most)), currency),
        }
        for meter, graduated in steps.items()
        for count in [used.get(meter, 0)]
    ]
