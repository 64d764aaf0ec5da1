"""Invoices one by one: issue, number, and what an order's says."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from billing.lines import Line
from billing.models import (
    Invoice,
    InvoiceKind,
    LineGroup,
    Order,
    OrderPurpose,
    Payment,
    PaymentState,
    Subscription,
)
from billing.services.issuing import Draft, invoices_issue
from billing.services.numbers import numbers_take
from billing.services.receipts import payment_received
from billing.taxes import Taxation
from tenants.models import Tenant


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

    Raise what `invoices_issue` does.
    """
    # Before the counter: whoever holds the tenant may be about to wait for the counter.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    draft = Draft(tenant, kind, currency, period, lines, subscription, order)
    (invoice,) = invoices_issue(drafts=[draft], now=now)
    return invoice


def invoice_number(*, invoice: Invoice, now: datetime) -> Invoice:
    """Give an invoice its number, as the last step of the transaction that issues it."""
    invoice.year, invoice.sequence = numbers_take(count=1, now=now)
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
    """Issue the invoice of a purchase that has been paid, with the payment that did; of one too
    small to be charged, an open one.
    """
    invoice = invoice_issue(
        tenant=order.tenant,
        kind=InvoiceKind.ORDER,
        currency=order.currency,
        period=(order.period_start, order.period_end),
        lines=order_lines(order),
        now=now,
        order=order,
    )
    if not order.to_charge:
        return invoice
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
