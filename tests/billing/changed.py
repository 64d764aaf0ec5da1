"""Tenants who change their plans: the press of the button, what is paid, billed and held then."""

from datetime import UTC, datetime, timedelta

from billing import services
from billing.models import Invoice, InvoiceKind, Order, Subscription, SubscriptionState
from tenants.models import Tenant
from tests.billing.conftest import buy

DAY = datetime(2026, 11, 26, 12, tzinfo=UTC)  # 5 of 30 days are left, today included
NEXT_DAY = DAY + timedelta(days=1)
FIRST = datetime(2026, 12, 1, 0, 5, tzinfo=UTC)
SECOND = datetime(2026, 12, 2, 12, tzinfo=UTC)
WEEK_LATE = datetime(2026, 12, 8, 12, tzinfo=UTC)


def change(
    tenant: Tenant, plan: str, *, now: datetime = DAY, token: str = "", shown: int | None = None
) -> Order | None:
    """Press the button of a page that shows what is to pay."""
    if shown is None:
        shown = services.plan_offer(tenant=tenant, plan_code=plan, now=now).amount
    return services.plan_change(
        tenant=tenant, plan_code=plan, shown=shown, token=token, actor=None, now=now
    )


def ordered(tenant: Tenant, plan: str, *, now: datetime = DAY) -> Order:
    order = change(tenant, plan, now=now)
    assert order is not None
    return order


def paid(tenant: Tenant, plan: str, *, now: datetime = DAY) -> Order:
    order = buy(ordered(tenant, plan, now=now), now=now)
    return services.order_check(order=order, now=now)


def plan_of(tenant: Tenant) -> str:
    """Return the plan's code, which the subscription and the limits must agree on."""
    tenant.refresh_from_db()
    active = Subscription.objects.get(tenant=tenant, state=SubscriptionState.ACTIVE)
    assert active.plan.usage_plan_id == tenant.usage_plan_id
    return active.plan.code


def fees(tenant: Tenant) -> list[tuple[str, int]]:
    """Return what was billed by the month, in order."""
    billed = Invoice.objects.filter(tenant=tenant, kind=InvoiceKind.FEE).order_by("id")
    return [(line.description, line.amount) for invoice in billed for line in invoice.lines.all()]


def bill(now: datetime) -> None:
    assert services.close_month(now=now).failed == {}
