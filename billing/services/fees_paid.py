"""What a tenant has paid for the days of this month that are left: no more is taken back when it
changes plan.

The fee of these days was billed with the subscription that holds them, or, where that began without
a charge for them or its charge was credited whole, with one before it: a setup fee pays for no
days. Of its invoice counts what was not credited and not written off; what is open is still owed in
full, and what the month's run has yet to bill will be.
"""

from datetime import date

from billing.models import Invoice, InvoiceState, Plan, Subscription
from billing.money import prorated
from billing.proration import Share, rest_of_month
from billing.services.creditable import fee_invoice, fee_line, is_of_days, is_undone, lines_left
from tenants.periods import Period


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
        invoice = fee_invoice(held, month)
        if invoice is not None and is_of_days(invoice):
            if not is_undone(invoice):
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


def _kept(rest: Share, invoice: Invoice) -> Share:
    """Return of a share so much as was not credited or written off of its fee's line."""
    left = lines_left(invoice=invoice)
    line = fee_line(left)
    if line is None:
        return Share(rest.start, rest.days, rest.of, 0)
    amount = prorated(rest.amount, days=left[line], of=line.amount)
    if invoice.state == InvoiceState.UNCOLLECTIBLE:
        owed = invoice.total - invoice.amount_credited
        amount = prorated(amount, days=min(invoice.amount_paid, owed), of=owed) if owed else 0
    return Share(rest.start, rest.days, rest.of, amount)


def _before(subscription: Subscription) -> Subscription | None:
    """Return the subscription that ended when this one began."""
    others = Subscription.objects.filter(
        tenant=subscription.tenant_id,
        ends_on=subscription.starts_on,
        starts_on__isnull=False,
        pk__lt=subscription.pk,
    )
    return others.select_related("plan", "price").order_by("-id").first()
