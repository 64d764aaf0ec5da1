"""Alerts of spending: what a month's requests cost, against the cap and amounts of the tenant's.

Looked for as often as usage is read, among those who have a cap or chose amounts: a few queries,
however many they are.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db.models import Q

import tenants.selectors
import tenants.services
from billing.alert_types import SPENDING
from billing.dues import month_of
from billing.models import Customer, SpendingCap, SubscriptionState
from billing.spending import requests_spent
from tenants.ids import Ids
from tenants.models import AlertSettings, Tenant, TenantState
from tenants.services import Reading

_PERCENT, _AMOUNT = "%", "amount:"


def spending_alerts(*, now: datetime) -> int:
    """Tell of the thresholds of spending that were crossed; return how many were told.

    Safe to run twice, late and at once. One tenant's failure stops no other's.
    """
    with_amounts = AlertSettings.objects.exclude(spending_amounts=[])
    watched = Tenant.objects.filter(
        Q(spending_cap__isnull=False) | Q(pk__in=with_amounts.values("tenant")),
        state=TenantState.ACTIVE,
    )
    return tenants.services.levels_tell(
        kind=SPENDING,
        tenant_ids=watched.order_by("pk").values_list("pk", flat=True).iterator(),
        read=lambda ids: dict(_readings(ids, now)),
        name=_name,
        now=now,
    )


def _name(threshold: str) -> dict[str, int | None]:
    """Return what an alert says of a threshold: a percent of the cap, or an amount."""
    if threshold.endswith(_PERCENT):
        return {"percent": int(threshold.removesuffix(_PERCENT)), "amount": None}
    return {"percent": None, "amount": int(threshold.removeprefix(_AMOUNT))}


def _readings(ids: list[int], now: datetime) -> Iterator[tuple[int, Reading]]:
    """Yield what each tenant's month stands at, by its id.

    A cap is reached where its requests are: what they cost may be a little less.
    """
    month = month_of(now.astimezone(UTC).date())
    spent = requests_spent(tenant_ids=ids, month=month)
    caps = {cap.tenant_id: cap for cap in SpendingCap.objects.filter(tenant__in=Ids(ids))}
    settings = tenants.selectors.alert_settings_of(tenant_ids=ids)
    customers = Customer.objects.filter(tenant__in=Ids(ids))
    currencies = dict(customers.values_list("tenant", "currency"))
    for pk, by_subscription in spent.items():
        cost = value = sum(each.cost for each in by_subscription.values())
        thresholds = {f"{_AMOUNT}{amount}": amount for amount in settings[pk].spending_amounts}
        cap = caps.get(pk)
        if cap is not None and cap.amount:
            percents = tenants.services.percents_of(cap.amount, settings[pk].spending_percents)
            thresholds |= {f"{percent}{_PERCENT}": at for percent, at in percents.items()}
            used = sum(
                each.requests
                for held, each in by_subscription.items()
                if held.state == SubscriptionState.ACTIVE
            )
            if used >= cap.requests:
                value = max(cost, cap.amount)
        data = {
            "spent": cost,
            "cap": cap.amount if cap else None,
            "currency": currencies.get(pk),
            "month": f"{month.start:%Y-%m}",
        }
        yield pk, Reading(month, value, thresholds, data)
