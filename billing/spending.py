"""What the billing page says of a tenant's spending cap."""

from billing.models import SpendingCap, Subscription, SubscriptionState
from billing.money import display, major
from billing.usage_prices import priced
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
