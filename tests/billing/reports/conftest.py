"""A catalogue, and tenants who held, were billed and used this and that: rows alone, no servers."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from billing.lines import Line
from billing.models import (
    Customer,
    Invoice,
    InvoiceKind,
    LineGroup,
    Plan,
    PriceVersion,
    Subscription,
    SubscriptionState,
)
from billing.services import seed
from billing.services.bank import bank_transfer_record
from billing.services.invoices import invoice_issue
from tenants.models import Meter, Tenant, UsageDay, User
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


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def bill(
    tenant: Tenant, net: int, now: datetime, *, kind: InvoiceKind = InvoiceKind.FEE,
    group: LineGroup = LineGroup.FEE, currency: str = "USD", paid: int = 0,
) -> Invoice:  # fmt: skip
    """Issue an invoice, of the plan that the tenant held unless it is a purchase's."""
    is_order = kind == InvoiceKind.ORDER
    held = tenant.subscriptions.filter(starts_on__lte=now.date()).latest("starts_on")
    with transaction.atomic():
        invoice = invoice_issue(
            tenant=tenant,
            kind=kind,
            currency=currency,
            period=(now.date(), now.date() + timedelta(days=1)),
            lines=[Line("Line", 1, Decimal(net), net, group)],
            now=now,
            subscription=None if is_order else held,
        )
    if paid:
        bank_transfer_record(
            invoice=invoice, amount=paid, reference=f"{invoice}", received_on=now.date(),
            actor=None, now=now,
        )  # fmt: skip
    return invoice


def use(
    tenant: Tenant, day: date, requests: int, conversions: int = 0, gb_seconds: int = 0
) -> None:
    """Write what a tenant used on a day."""
    used = {
        Meter.REQUESTS: requests, Meter.CONVERSIONS: conversions,
        Meter.COMPUTE: gb_seconds * 1024 * 1000,
    }  # fmt: skip
    UsageDay.objects.bulk_create(
        UsageDay(tenant=tenant, meter=meter, day=day, used=count, read_at=timezone.now())
        for meter, count in used.items()
        if count
    )
