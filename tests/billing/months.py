"""Months laid out in rows: who held which plan when, and what the gateway said was used."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from billing.dues import month_of
from billing.models import (
    Customer,
    Entry,
    Invoice,
    Plan,
    PriceVersion,
    Subscription,
    SubscriptionState,
)
from billing.services import close_month
from billing.services.close_month import CloseRun
from tenants.models import (
    ApiKey,
    ApiKeyVersion,
    GatewayPlan,
    Member,
    Meter,
    Role,
    Tenant,
    UsageDay,
    User,
)

SIX_HOURS = timedelta(hours=6)


def day(text: str) -> date:
    """Read "11-24": a day of 2026; of another year with it in front."""
    return date.fromisoformat(text if len(text) > 5 else f"2026-{text}")


def at(text: str, hour: int = 6) -> datetime:
    return datetime.combine(day(text), datetime.min.time(), tzinfo=UTC) + timedelta(hours=hour)


def tenant_new(name: str = "Alice Corp", *, plan: str = "free", currency: str = "USD") -> Tenant:
    """Write a tenant with its owner. Nothing of it is in the gateway."""
    usage_plan = Plan.objects.get(code=plan).usage_plan
    now = at("01-01")
    tenant = Tenant.objects.create(name=name, usage_plan=usage_plan, created_at=now)
    user = User.objects.create_user(f"{tenant.uuid}@example.org", "barrier-station-53")
    Member.objects.create(tenant=tenant, user=user, role=Role.OWNER, created_at=now)
    Customer.objects.create(tenant=tenant, currency=currency)
    return tenant


def held(
    tenant: Tenant, plan: str, starts: str, ends: str | None = None, *, trial: str | None = None
) -> Subscription:
    """Have a tenant hold a plan from a day up to, and without, another.

    The first month was paid when it began, unless by then it was a trial; the last one is due.
    """
    price = PriceVersion.objects.get(plan__code=plan, currency=tenant.customer.currency, number=1)
    first = day(starts)
    return Subscription.objects.create(
        tenant=tenant,
        plan=price.plan,
        price=price,
        state=SubscriptionState.CANCELLED if ends else SubscriptionState.ACTIVE,
        created_at=at(starts),
        starts_on=first,
        ends_on=day(ends) if ends else None,
        trial_ends_on=day(trial) if trial else None,
        fee_from=day(trial) if trial else _first_of_a_month(first + timedelta(days=1)),
        fee_until=_first_of_a_month(day(ends)) if ends else None,
    )


def _first_of_a_month(on_or_after: date) -> date:
    return month_of(on_or_after - timedelta(days=1)).end


def used(tenant: Tenant, plan: str, days: Mapping[str, int]) -> None:
    """Let these be the requests of a tenant's days, counted under a plan."""
    mirror = GatewayPlan.objects.get(usage_plan__plans__code=plan, slot="primary")
    for text, count in days.items():
        UsageDay.objects.update_or_create(
            tenant=tenant,
            version=None,
            gateway_plan=mirror,
            meter=Meter.REQUESTS,
            day=day(text),
            defaults={"used": count, "read_at": at(text)},
        )


def counted(tenant: Tenant, plan: str, text: str, count: int) -> None:
    """Let this many requests of a day be counted under a plan, of a key that was in it."""
    used_at = at(text)
    mirror = GatewayPlan.objects.get(usage_plan__plans__code=plan, slot="primary")
    key, _is_new = ApiKey.objects.get_or_create(
        tenant=tenant, name=plan, defaults={"created_at": used_at}
    )
    version, _is_new = ApiKeyVersion.objects.get_or_create(
        api_key=key, defaults={"created_at": used_at, "value_digest": f"{key.uuid}"}
    )
    UsageDay.objects.create(
        tenant=tenant, version=version, gateway_plan=mirror, meter=Meter.REQUESTS,
        day=day(text), used=count, read_at=used_at,
    )  # fmt: skip


def close_at(now: datetime) -> CloseRun:
    """Close as beat does, after the gateway was asked; raise where somebody could not be billed."""
    GatewayPlan.objects.update(read_at=now)
    run = close_month(now=now)
    assert run.failed == {}
    return run


def close_settled(now: datetime) -> CloseRun:
    """Close twice, six hours apart: the second time, what was read the first time has settled."""
    close_at(now - SIX_HOURS)
    return close_at(now)


def issued(tenant: Tenant) -> list[tuple[str, str, list[tuple[str, int, int]]]]:
    """Return a tenant's invoices by number: kind, first day, and (description, quantity, amount) of
    each line.
    """
    return [
        (
            invoice.kind,
            invoice.period_start.isoformat(),
            list(invoice.lines.values_list("description", "quantity", "amount")),
        )
        for invoice in Invoice.objects.filter(tenant=tenant).order_by("year", "sequence")
    ]


def books() -> dict[str, int]:
    """Return each account's balance, the currencies together."""
    balances: dict[str, int] = {}
    for account, amount in Entry.objects.values_list("account", "amount"):
        balances[account] = balances.get(account, 0) + amount
    return balances
