"""Invoices: what they say is frozen when they are issued, and numbers have no gaps.

The counter's row is locked last, in the transaction that issues: a rolled-back issue gives its
number back, and nobody waits for it longer than a commit takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings

from billing.models import (
    Invoice,
    InvoiceCounter,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    LineGroup,
    Order,
    OrderPurpose,
    Payment,
    PaymentState,
    Subscription,
)
from billing.services.ledger import invoice_post
from billing.services.receipts import payment_received
from tenants.models import Role, Tenant


@dataclass(frozen=True)
class Line:
    """A line to be. `unit_amount` and `amount` in minor units; the amount is rounded already."""

    description: str
    quantity: int
    unit_amount: Decimal
    amount: int
    group: LineGroup = LineGroup.FEE


def invoice_issue(
    *,
    tenant: Tenant,
    kind: InvoiceKind,
    currency: str,
    period: tuple[date, date],
    lines: Sequence[Line],
    now: datetime,
    subscription: Subscription | None = None,
    order: Order | None = None,
) -> Invoice:
    """Write and issue an invoice. Call it inside a transaction, as its last step.

    Raise django.db.IntegrityError where there is one for this order, or for this subscription,
    period and kind: a restarted close gives the same invoices.
    """
    subtotal = sum(line.amount for line in lines)
    invoice = Invoice.objects.create(
        tenant=tenant,
        kind=kind,
        subscription=subscription,
        order=order,
        period_start=period[0],
        period_end=period[1],
        state=InvoiceState.OPEN,
        currency=currency,
        subtotal=subtotal,
        total=subtotal,
        issuer={"name": settings.ISSUER_NAME, "address": settings.ISSUER_ADDRESS},
        buyer=_buyer(tenant),
        issued_at=now,
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=position,
            group=line.group,
            description=line.description,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            amount=line.amount,
        )
        for position, line in enumerate(lines, start=1)
    )
    invoice_post(invoice=invoice, now=now)
    return invoice_number(invoice=invoice, now=now)


def invoice_number(*, invoice: Invoice, now: datetime) -> Invoice:
    """Give an invoice its number, as the last step of the transaction that issues it."""
    year = now.astimezone(ZoneInfo(settings.ISSUER_TIME_ZONE)).year
    InvoiceCounter.objects.get_or_create(year=year)
    counter = InvoiceCounter.objects.select_for_update().get(year=year)
    counter.last += 1
    counter.save(update_fields=["last"])
    invoice.year, invoice.sequence = year, counter.last
    invoice.save(update_fields=["year", "sequence"])
    return invoice


_GROUPS: dict[str, LineGroup] = {
    OrderPurpose.SUBSCRIPTION: LineGroup.FEE,
    OrderPurpose.CHANGE: LineGroup.PRORATION,
    OrderPurpose.EXTENSION: LineGroup.EXTENSION,
}


def order_invoice_issue(*, order: Order, now: datetime) -> Invoice:
    """Issue the invoice of a purchase that has been paid, with the payment that did."""
    invoice = invoice_issue(
        tenant=order.tenant,
        kind=InvoiceKind.ORDER,
        currency=order.currency,
        period=(order.period_start, order.period_end),
        lines=[
            Line(order.description, 1, Decimal(order.amount), order.amount, _GROUPS[order.purpose])
        ],
        now=now,
        order=order,
    )
    payment = Payment.objects.create(
        invoice=invoice,
        attempt=order.attempt,
        state=PaymentState.SUCCEEDED,
        currency=order.currency,
        amount=order.amount,
        payment_intent_id=order.payment_intent_id,
        created_at=now,
        settled_at=now,
    )
    return payment_received(payment=payment, invoice=invoice, now=now)


def _buyer(tenant: Tenant) -> dict[str, str]:
    owner = tenant.members.filter(role=Role.OWNER).select_related("user").first()
    return {
        "name": tenant.name,
        "email": owner.user.email if owner else "",
        "language": tenant.language,
    }
