"""Invoices: what they say is frozen when they are issued, and numbers have no gaps.

The counter's row is locked last, in the transaction that issues: a rolled-back issue gives its
number back, and nobody waits for it longer than a commit takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings

from billing.models import (
    Invoice,
    InvoiceCounter,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    InvoiceTax,
    LineGroup,
    Order,
    OrderPurpose,
    Payment,
    PaymentState,
    Subscription,
)
from billing.services.ledger import invoice_post
from billing.services.receipts import payment_received
from billing.services.taxes import tax_rows
from billing.tax_tables import buyers_load, issuer_day, issuer_frozen, tables_load
from billing.taxes import Taxation, taxation_of, taxes_of
from tenants.models import Tenant


@dataclass(frozen=True)
class Line:
    """A line to be. `unit_amount` and `amount` in minor units, before tax; the amount is rounded
    already. `taxation` is given where it is not the buyer's of today, as for an earlier month.
    """

    description: str
    quantity: int
    unit_amount: Decimal
    amount: int
    group: LineGroup = LineGroup.FEE
    taxation: Taxation | None = None


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

    It is taxed by the rates of the day of issue, or of the period's last day once that is over.
    Raise Refused where its tax cannot be stated yet (taxes.py), django.db.IntegrityError where
    there is one for this order, or for this subscription, period and kind: a restarted close gives
    the same invoices.
    """
    tables = tables_load(now=now)
    buyer = buyers_load(tenant_ids=[tenant.pk])[tenant.pk]
    supplied = min(tables.day, period[1] - timedelta(days=1))
    taxes = taxes_of(tables=tables, buyer=buyer, currency=currency, lines=lines, on=supplied)
    usual = taxation_of(tables=tables, buyer=buyer, on=supplied)
    subtotal = sum(line.amount for line in lines)
    tax = sum(tax.tax for tax in taxes)
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
        tax=tax,
        total=subtotal + tax,
        issuer=issuer_frozen(),
        buyer=buyer.frozen(),
        issued_at=now,
        due_on=tables.day + timedelta(days=settings.INVOICE_DUE_DAYS),
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
            tax_rate=(line.taxation or usual).rate,
        )
        for position, line in enumerate(lines, start=1)
    )
    InvoiceTax.objects.bulk_create(tax_rows(invoice=invoice, taxes=taxes))
    invoice_post(invoice=invoice, now=now)
    return invoice_number(invoice=invoice, now=now)


def invoice_number(*, invoice: Invoice, now: datetime) -> Invoice:
    """Give an invoice its number, as the last step of the transaction that issues it."""
    year = issuer_day(now).year
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


def order_lines(order: Order) -> list[Line]:
    """Return the lines of an order's invoice, taxed as the buyer was shown."""
    taxation = Taxation.thawed(order.taxation)
    net = order.amount - order.tax
    frozen = order.lines or [
        {
            "description": order.description,
            "quantity": 1,
            "unit_amount": net,
            "amount": net,
            "group": _GROUPS[order.purpose],
        }
    ]
    return [
        Line(
            line["description"],
            line["quantity"],
            Decimal(line["unit_amount"]),
            line["amount"],
            LineGroup(line["group"]),
            taxation,
        )
        for line in frozen
    ]


def order_invoice_issue(*, order: Order, now: datetime) -> Invoice:
    """Issue the invoice of a purchase that has been paid, with the payment that did."""
    invoice = invoice_issue(
        tenant=order.tenant,
        kind=InvoiceKind.ORDER,
        currency=order.currency,
        period=(order.period_start, order.period_end),
        lines=order_lines(order),
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
