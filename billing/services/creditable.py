"""What is left of an invoice, before tax, in minor units: of each line what no credit note took
back, and what of it can be credited still.

A change of plan takes back a share of the fee of the plan before, on an invoice of its own
(offers.py). That is given once: so much of the fee cannot be credited as well.
"""

from django.db.models import Sum

from billing.models import Invoice, InvoiceKind, InvoiceLine, LineGroup, Subscription
from tenants.periods import Period

OF_DAYS = frozenset({LineGroup.FEE, LineGroup.PRORATION})


def lines_left(*, invoice: Invoice) -> dict[InvoiceLine, int]:
    """Return what is left of each line of an invoice."""
    credited = InvoiceLine.objects.filter(invoice__corrects=invoice).values_list("position")
    taken = dict(credited.annotate(Sum("amount")).order_by())
    return {line: line.amount + taken.get(line.position, 0) for line in invoice.lines.all()}


def lines_creditable(*, invoice: Invoice) -> dict[InvoiceLine, int]:
    """Return how much of each line can be credited, in the order of the lines."""
    left = lines_left(invoice=invoice)
    line = fee_line(left)
    if line is not None:
        left[line] = max(0, left[line] - fee_taken_back(invoice=invoice))
    return left


def fee_taken_back(*, invoice: Invoice) -> int:
    """Return what a later change of plan took back of the fee that an invoice billed.

    That is the first of the same month which charged for days; one that was credited whole took
    back nothing.
    """
    is_of_fee = invoice.kind in {InvoiceKind.FEE, InvoiceKind.ORDER}
    held = invoice.order.subscription if invoice.order else invoice.subscription
    month = Period(invoice.period_start, invoice.period_end)
    while is_of_fee and held is not None:
        held = _after(held, month)
        its = fee_invoice(held, month) if held else None
        if its is not None and is_of_days(its) and not is_undone(its):
            left = lines_left(invoice=its).items()
            return -sum(min(net, 0) for line, net in left if line.group in OF_DAYS)
    return 0


def fee_invoice(subscription: Subscription, month: Period) -> Invoice | None:
    """Return the invoice of a subscription's fee of a month: the run's, or a purchase's."""
    invoices = Invoice.objects.filter(period_start=month.start, sequence__isnull=False)
    fee = invoices.filter(subscription=subscription, kind=InvoiceKind.FEE)
    bought = invoices.filter(order__subscription=subscription, kind=InvoiceKind.ORDER)
    return fee.first() or bought.first()


def fee_line(lines: dict[InvoiceLine, int]) -> InvoiceLine | None:
    """Return the line of the fee; none where there is no fee of days."""
    of_days = (line for line in lines if line.group in OF_DAYS and line.amount > 0)
    return next(of_days, None)


def is_of_days(invoice: Invoice) -> bool:
    """Say whether an invoice charged for days, more than it took back of a plan that was paid."""
    lines = invoice.lines.filter(group__in=OF_DAYS)
    return sum(line.amount for line in lines) > 0


def is_undone(invoice: Invoice) -> bool:
    """Say whether all that a change came to was credited, and with it what was taken back of the
    plan before: the days are paid as if it had not been.
    """
    lines = lines_left(invoice=invoice).items()
    left = {line: net for line, net in lines if line.group in OF_DAYS}
    return any(line.amount < 0 for line in left) and sum(left.values()) == 0


def _after(subscription: Subscription, month: Period) -> Subscription | None:
    """Return the subscription that began within the month when this one ended."""
    if subscription.ends_on is None or subscription.ends_on >= month.end:
        return None
    others = Subscription.objects.filter(
        tenant=subscription.tenant_id, starts_on=subscription.ends_on, pk__gt=subscription.pk
    )
    return others.order_by("id").first()
