"""The month's invoices: fees in advance on the 1st, usage in arrears once it is settled.

Safe to run twice, in parallel and late: an invoice is unique by subscription, period and kind. One
tenant's failure never stops another's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import override

import tenants.selectors
from billing import payments, tiers
from billing.models import (
    Invoice,
    InvoiceKind,
    LineGroup,
    PaymentState,
    Subscription,
    SubscriptionState,
    UsageReading,
)
from billing.proration import fee_for_month
from billing.services.collect import invoice_collect, invoices_to_collect
from billing.services.fee_lines import month_line, setup_line
from billing.services.invoices import Line, invoice_issue
from billing.usage_prices import priced
from tenants.models import Meter
from tenants.periods import Period

log = structlog.get_logger(__name__)

SETTLES_IN = timedelta(hours=6)  # between two equal readings of a month that is to be closed


@dataclass
class BillRun:
    """What a run did, or would do. `failed` maps a tenant or an invoice's number to the reason."""

    written: list[Invoice] = field(default_factory=list)
    would_write: list[str] = field(default_factory=list)
    collected: int = 0
    declined: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def month_of(day: date) -> Period:
    """Return the calendar month of a day."""
    start = day.replace(day=1)
    return Period(start, (start + timedelta(days=31)).replace(day=1))


def bill(
    *,
    as_of: date,
    now: datetime,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BillRun:
    """Write and collect what is due in the month of `as_of`; return what was done.

    `progress(done, total)` is called after each subscription.
    """
    run = BillRun()
    before = month_of(month_of(as_of).start - timedelta(days=1))
    held = Subscription.objects.filter(
        Q(state=SubscriptionState.ACTIVE) | Q(ends_on__gte=before.start)
    )
    ids = list(held.order_by("id").values_list("pk", flat=True))
    for done, subscription_id in enumerate(ids, start=1):
        subscription = Subscription.objects.select_related(
            "tenant__usage_plan", "plan", "price"
        ).get(pk=subscription_id)
        try:
            with override(subscription.tenant.language):  # the lines are for the tenant
                _bill_one(subscription, as_of=as_of, now=now, dry_run=dry_run, run=run)
        except Exception as error:
            log.exception("bill.failed", subscription=subscription_id)
            run.failed[f"{subscription.tenant} ({subscription.tenant.uuid})"] = str(error)
        progress(done, len(ids))
    if not dry_run:
        collect(run=run, now=now)
    return run


def collect(*, run: BillRun, now: datetime) -> None:
    """Charge what is open to the saved cards."""
    for invoice in invoices_to_collect():
        try:
            outcome = invoice_collect(invoice=invoice, now=now)
        except payments.PaymentError as error:
            log.warning("collect.failed", invoice=invoice.number, error=str(error))
            run.failed[invoice.number] = str(error)
            continue
        except Exception as error:
            log.exception("collect.failed", invoice=invoice.number)
            run.failed[invoice.number] = str(error)
            continue
        run.collected += outcome == PaymentState.SUCCEEDED
        run.declined += outcome in {PaymentState.FAILED, PaymentState.NEEDS_ACTION}


def _bill_one(
    subscription: Subscription, *, as_of: date, now: datetime, dry_run: bool, run: BillRun
) -> None:
    """Issue what is due for one subscription and not there yet; nothing that comes to zero."""
    month = month_of(as_of)
    before = month_of(month.start - timedelta(days=1))
    due = (
        (InvoiceKind.FEE, before, _fee_lines(subscription, before, as_of=as_of)),
        (InvoiceKind.FEE, month, _fee_lines(subscription, month, as_of=as_of)),
        (
            InvoiceKind.USAGE,
            before,
            _usage_lines(subscription, before, as_of=as_of, dry_run=dry_run),
        ),
    )
    for kind, period, lines in due:
        written = Invoice.objects.filter(
            subscription=subscription, kind=kind, period_start=period.start
        )
        if not sum(line.amount for line in lines) or written.exists():
            continue
        if dry_run:
            run.would_write.append(f"{subscription.tenant}: {lines[0].description}")
            continue
        try:
            with transaction.atomic():
                invoice = invoice_issue(
                    tenant=subscription.tenant,
                    kind=kind,
                    currency=subscription.price.currency,
                    period=(period.start, period.end),
                    lines=lines,
                    now=now,
                    subscription=subscription,
                )
        except IntegrityError:
            if not written.exists():
                raise
            continue  # another run was faster
        run.written.append(invoice)


def _fee_lines(subscription: Subscription, month: Period, *, as_of: date) -> list[Line]:
    """Return what the month's run bills of the fee, and of the setup fee, by `as_of`."""
    price = subscription.price
    share = fee_for_month(
        fee=price.monthly_fee,
        fee_from=subscription.fee_from,
        fee_until=subscription.fee_until,
        month=month,
    )
    if share is None or share.start > as_of:
        return []
    lines = [month_line(subscription.plan, share)]
    if subscription.owes_setup and share.start == subscription.fee_from:
        lines.append(setup_line(subscription.plan, price))
    return lines


def _usage_lines(
    subscription: Subscription, month: Period, *, as_of: date, dry_run: bool
) -> list[Line]:
    """Return a line per meter and tier for a month's usage, once all of it is settled.

    Conversions are our own count, by the day on which each was reported: nothing is added to a day
    that is over. So they are settled with the month, and wait for the 2nd only for a report that
    was being written at midnight.
    """
    steps = priced(subscription.plan, subscription.price)
    if subscription.starts_on is None or subscription.starts_on >= month.end:
        return []
    start = max(month.start, subscription.starts_on, subscription.trial_ends_on or month.start)
    end = min(month.end, subscription.ends_on or month.end)
    used = {
        meter: tenants.selectors.usage_total(
            tenant=subscription.tenant, meter=meter, start=start, end=end
        )
        for meter in steps
    }
    lines = [
        _usage_line(meter, line, month)
        for meter, count in used.items()
        for line in tiers.lines(steps[meter], count)
    ]
    if as_of <= month.end or not sum(line.amount for line in lines):
        return []
    if Meter.REQUESTS in used and not _is_settled(
        subscription, month, used[Meter.REQUESTS], dry_run=dry_run
    ):
        return []
    return lines


def _usage_line(meter: Meter, line: tiers.TierLine, month: Period) -> Line:
    described = {
        Meter.REQUESTS: _("Requests %(first)s to %(last)s, %(month)s"),
        Meter.CONVERSIONS: _("Conversions %(first)s to %(last)s, %(month)s"),
    }
    description = described[meter] % {
        "first": f"{line.first:,}",
        "last": f"{line.last:,}",
        "month": f"{month.start:%Y-%m}",
    }
    return Line(description, line.quantity, line.unit_amount, line.amount, LineGroup.USAGE)


def _is_settled(subscription: Subscription, month: Period, used: int, *, dry_run: bool) -> bool:
    """Say whether a month's requests were read to be the same twice, 6 h apart.

    A reading is as old as the gateway's answer: while nobody asks it, no figure settles.
    """
    read_at = tenants.selectors.synced_at(tenant=subscription.tenant)
    if read_at is None:
        return False
    reading = UsageReading.objects.filter(subscription=subscription, period_start=month.start)
    first = reading.first()
    if first is not None and first.requests == used:
        return read_at - first.same_since >= SETTLES_IN
    if not dry_run:
        UsageReading.objects.update_or_create(
            subscription=subscription,
            period_start=month.start,
            defaults={"requests": used, "same_since": read_at},
        )
    return False
