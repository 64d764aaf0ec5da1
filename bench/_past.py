"""Months that lie behind subscriptions: their usage, what it was billed as, and the invoices."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db import transaction

from billing.dues import month_before, month_of
from billing.models import (
    BilledUsage,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    Subscription,
    UsageReading,
)
from billing.services.ledger import invoices_post
from tenants.models import GatewayPlan, Meter, UsageDay
from tenants.periods import Period

_CHUNK = 1_000
_NET = 1_900  # cents


def past_write(*, months: int, before: date) -> None:
    """Give each subscription so many closed months before the one that `before` is the first of.

    Usage is a row a month here: a close reads days by an index that begins with the tenant.
    """
    month = month_of(before)
    for _month in range(months):
        month = month_before(month)
        ids = list(Subscription.objects.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(ids), _CHUNK):
            with transaction.atomic():
                _write(ids[start : start + _CHUNK], month)
    Subscription.objects.update(starts_on=month.start)


def _write(ids: list[int], month: Period) -> None:
    now = datetime.combine(month.end + timedelta(days=1), time(), tzinfo=UTC)
    subscriptions = Subscription.objects.filter(pk__in=ids).select_related("plan")
    metered = [each for each in subscriptions if each.plan.code == "payg"]
    invoices = Invoice.objects.bulk_create(
        Invoice(
            tenant_id=each.tenant_id,
            subscription_id=each.pk,
            kind=InvoiceKind.USAGE if each in metered else InvoiceKind.FEE,
            period_start=month.start,
            period_end=month.end,
            state=InvoiceState.OPEN,
            currency="USD",
            subtotal=_NET,
            total=_NET,
            issued_at=now,
        )
        for each in subscriptions
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice_id=invoice.pk,
            position=1,
            description=f"{month.start:%Y-%m}",
            unit_amount=Decimal(_NET),
            amount=_NET,
        )
        for invoice in invoices
    )
    invoices_post(invoices=invoices, now=now)
    invoice_of = {invoice.subscription_id: invoice for invoice in invoices}
    BilledUsage.objects.bulk_create(
        BilledUsage(
            subscription=each,
            price_id=each.price_id,
            meter=Meter.REQUESTS,
            period_start=month.start,
            quantity=_NET,
            amount=_NET,
            invoice=invoice_of[each.pk],
            noted_at=now,
        )
        for each in metered
    )
    UsageReading.objects.bulk_create(
        UsageReading(subscription=each, period_start=month.start, requests=_NET, same_since=now)
        for each in metered
    )
    mirror = GatewayPlan.objects.get(usage_plan__plans__code="payg", slot="primary")
    UsageDay.objects.bulk_create(
        UsageDay(
            tenant_id=each.tenant_id,
            gateway_plan=mirror,
            meter=Meter.REQUESTS,
            day=month.start,
            used=_NET,
            read_at=now,
        )
        for each in metered
    )
