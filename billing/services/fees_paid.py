"""What a tenant has paid for the days of this month that are left: no more is taken back when it
changes plan.

The fee of these days was billed with the subscription that holds them, or, where that began without
a charge for them or its charge was credited whole, with one before it: a setup fee pays for no
days. Of its invoice counts what was not credited and not written off; what is open is still owed in
full, and what the month's run has yet to bill will be.
"""

from datetime import date

from billing.models import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    LineGroup,
    Plan,
    Subscription,
)
from billing.money import prorated
from billing.proration import Share, rest_of_month
from billing.services.credit_notes import lines_left
from tenants.periods import Period

_OF_DAYS = frozenset({LineGroup.FEE, LineGroup.PRORATION})


def rest_paid(*, subscription: Subscription, day: date, month: Period) -> tuple[Plan, Share]:
    """Return the plan whose fee is paid for the rest of a month, `day` included, and the share of
    it that was, in minor units; that of nothing during a trial.
    """
    nothing = subscription.plan, rest_of_month(fee=0, day=day, month=month)
    if subscription.trial_ends_on is not None and day < subscription.trial_ends_on:
        return nothing
    held: Subscription | None = subscription
    while held is not None:
        rest = rest_of_month(fee=held.price.monthly_fee, day=day, month=month)
        invoice = _invoice(held, month)
        if invoice is not None and _is_of_days(invoice):
            if not _is_undone(invoice):
                return held.plan, _kept(rest, invoice)
        elif _will_be_billed(held, day, month):
            return held.plan, rest
        held = _before(held)
    return nothing


def _will_be_billed(held: Subscription, day: date, month: Period) -> bool:
    """Say whether the month's run has yet to bill the fee of these days: never that of a trial
    that was left before its end.
    """
    if held.fee_from is None or held.fee_from >= month.end:
        return False
    return held.fee_until is None or held.fee_until > max(held.fee_from, day)


def _invoice(subscription: Subscription, month: Period) -> Invoice | None:
    """Return the invoice of a subscription's fee of a month: the run's, or a purchase's."""
    invoices = Invoice.objects.filter(period_start=month.start, sequence__isnull=False)
    fee = invoices.filter(subscription=subscription, kind=InvoiceKind.FEE)
    bought = invoices.filter(order__subscription=subscription, kind=InvoiceKind.ORDER)
    return fee.first() or bought.first()


def _is_of_days(invoice: Invoice) -> bool:
    """Say whether an invoice charged for days, more than it took back of a plan that was paid."""
    lines = invoice.lines.filter(group__in=_OF_DAYS)
    return sum(line.amount for line in lines) > 0


def _is_undone(invoice: Invoice) -> bool:
    """Say whether all that a change came to was credited, and with it what was taken back of the
    plan before: the days are paid as if it had not been.
    """
    lines = lines_left(invoice=invoice).items()
    left = {line: net for line, net in lines if line.group in _OF_DAYS}
    return any(line.amount < 0 for line in left) and sum(left.values()) == 0


def _kept(rest: Share, invoice: Invoice) -> Share:
    """Return of a share so much as was not credited or written off of its fee's line."""
    line, left = _fee_line(invoice)
    if line is None:
        return Share(rest.start, rest.days, rest.of, 0)
    amount = prorated(rest.amount, days=left, of=line.amount)
    if invoice.state == InvoiceState.UNCOLLECTIBLE:
        owed = invoice.total - invoice.amount_credited
        amount = prorated(amount, days=min(invoice.amount_paid, owed), of=owed) if owed else 0
    return Share(rest.start, rest.days, rest.of, amount)


def _fee_line(invoice: Invoice) -> tuple[InvoiceLine | None, int]:
    """Return the line of the fee, and what is left of it."""
    for line, left in lines_left(invoice=invoice).items():
        if line.group in _OF_DAYS and line.amount > 0:
            return line, left
    return None, 0


def _before(subscription: Subscription) -> Subscription | None:
    """Return the subscription that ended when this one began."""
    others = Subscription.objects.filter(
        tenant=subscription.tenant_id,
        ends_on=subscription.starts_on,
        starts_on__isnull=False,
        pk__lt=subscription.pk,
    )
    return others.select_related("plan", "price").order_by("-id").first()
