"""Close a month for a batch of subscriptions: read all, reckon, write all, in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from billing.models import BilledUsage, Invoice, InvoiceKind
from billing.services.close_due import Closing, batch_due
from billing.services.close_read import (
    Close,
    TermsCache,
    subscriptions_locked,
    subscriptions_read,
)
from billing.services.issuing import Draft, invoices_draft, invoices_issue
from billing.sql import rows_insert
from tenants.models import Meter


@dataclass(frozen=True)
class Written:
    """What a batch issued, or would. `refused` maps the tenants who cannot be billed yet to the
    reason.
    """

    invoices: Sequence[tuple[Invoice, Draft]]
    refused: Mapping[str, str]


@transaction.atomic
def batch_close(*, ids: Collection[int], close: Close, cache: TermsCache) -> Written:
    """Issue what is due of these subscriptions and not billed yet; return it.

    Subscriptions that others hold are left for the next run.
    """
    subscriptions = subscriptions_locked(ids)
    due = batch_due(subscriptions=subscriptions, close=close, cache=cache, dry_run=False)
    invoices = invoices_issue(drafts=due.drafts, now=close.now)
    _billed_usage_write(due.closings, invoices, close)
    return Written(list(zip(invoices, due.drafts, strict=True)), due.refused)


def batch_would_close(*, ids: Collection[int], close: Close, cache: TermsCache) -> Written:
    """Return what `batch_close` would issue now, without numbers. Nothing is written."""
    subscriptions = subscriptions_read(ids)
    due = batch_due(subscriptions=subscriptions, close=close, cache=cache, dry_run=True)
    drafted = invoices_draft(drafts=due.drafts, now=close.now)
    return Written([(each.invoice, each.draft) for each in drafted], due.refused)


def _billed_usage_write(
    closings: Iterable[Closing], invoices: Iterable[Invoice], close: Close
) -> None:
    """Note what the month was billed as, nothing too: it is closed by this. So are corrections."""
    usage = {
        invoice.subscription_id: invoice.pk
        for invoice in invoices
        if invoice.kind == InvoiceKind.USAGE
    }
    rows_insert(
        BilledUsage,
        columns=[
            "subscription_id", "price_id", "meter", "period_start", "revision", "quantity",
            "forgiven", "amount", "invoice_id", "noted_at",
        ],
        rows=[
            (
                closing.subscription.pk,
                closing.subscription.price_id,
                meter,
                close.month.start,
                0,
                closing.used.by_meter.get(meter, 0),
                closing.forgiven if meter == Meter.REQUESTS else 0,
                sum(line.amount for line in lines),
                usage.get(closing.subscription.pk),
                close.now,
            )
            for closing in closings
            for meter, lines in closing.lines.items()
        ],
    )  # fmt: skip
    corrected = []
    for closing in closings:
        for correction in closing.corrections:
            correction.revision.invoice_id = usage[closing.subscription.pk]
            corrected.append(correction.revision)
    BilledUsage.objects.bulk_update(corrected, ["invoice"])
