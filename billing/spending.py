"""What the billing page says of usage that is charged: how much it was, and the cap on it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from billing import tiers
from billing.capped import most_charged
from billing.dues import charged, month_of, usage_days
from billing.models import SpendingCap, Subscription, SubscriptionState
from billing.money import display, major
from billing.usage import usage_read
from billing.usage_prices import in_words, priced
from tenants.models import Meter, QuotaPeriod, Tenant


def cap_row(*, tenant: Tenant) -> dict[str, object] | None:
    """Return the cap, ready to show; None on a plan where there is nothing to cap.

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
        row |= {
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
        read = usage_read({subscription.pk: days}, [subscription], list(steps))
        used = read[subscription.pk].by_meter
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
