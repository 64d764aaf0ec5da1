"""A catalogue, and tenants who held this and that: rows alone, no servers."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from billing.models import Customer, Plan, PriceVersion, Subscription, SubscriptionState
from billing.services import seed
from tenants.models import Tenant, User
from tenants.services import tenant_create

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
# A plan's code, its first day, where its trial ends, and its fee where it is not the first one.
Held = tuple[str, date] | tuple[str, date, date | None] | tuple[str, date, date | None, int]
Holds = Callable[..., Tenant]


@pytest.fixture
def holds(db: None) -> Holds:
    seed(now=LONG_AGO)

    def tenant(name: str, *held: Held, currency: str = "USD") -> Tenant:
        """Make a tenant who held these plans, each until the next one's day."""
        first = Plan.objects.get(code=held[0][0])
        made = tenant_create(
            name=name,
            owner=User.objects.create_user(f"{name}@example.com".lower(), "barrier-station-53"),
            usage_plan=first.usage_plan,
            now=LONG_AGO,
        )
        Customer.objects.create(tenant=made, currency=currency)
        ends = [each[1] for each in held[1:]] + [None]
        for (code, starts_on, *more), ends_on in zip(held, ends, strict=True):
            trial_ends_on, fee = [*more, None, None][:2]
            Subscription.objects.create(
                tenant=made,
                plan=Plan.objects.get(code=code),
                price=_price(code, currency, fee),
                state=SubscriptionState.CANCELLED if ends_on else SubscriptionState.ACTIVE,
                created_at=LONG_AGO,
                starts_on=starts_on,
                ends_on=ends_on,
                trial_ends_on=trial_ends_on,
            )
        return made

    return tenant


def _price(code: str, currency: str, fee: int | None) -> PriceVersion:
    latest = PriceVersion.objects.filter(plan__code=code, currency=currency).latest("number")
    if fee is None or latest.monthly_fee == fee:
        return latest
    return PriceVersion.objects.create(
        plan=latest.plan, currency=currency, number=latest.number + 1, monthly_fee=fee,
        created_at=LONG_AGO,
    )  # fmt: skip
