"""Corrections that no usage invoice is to bear: a supplementary invoice, or credit notes.

They are those of tenants who pay by usage no more, and those that the next close could not take.
What goes back comes off what was charged for that month; then, where that is the smaller already
for an earlier correction, off what was charged for usage in the last year. One tenant is one
transaction: the tenant is locked, then its invoices, and the counter last.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from billing.dues import month_before, month_of
from billing.lines import Line
from billing.models import (
    BilledUsage,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    LineGroup,
    Overage,
    Subscription,
    SubscriptionState,
)
from billing.services.correction_lines import (
    CARRIED,
    Correction,
    corrections_lines,
    corrections_pending,
)
from billing.services.credit_notes import credit_note_issue, lines_left
from billing.services.issuing import Draft, invoices_issue
from tenants.errors import Refused
from tenants.models import Tenant

log = structlog.get_logger(__name__)


def corrections_settle(*, now: datetime) -> None:
    """Bill, or give back, what no usage invoice is to bear. One's failure stops no other's."""
    for tenant_id in _waiting(now).values_list("subscription__tenant", flat=True).distinct():
        try:
            _tenant_settle(tenant_id, now)
        except Exception:
            log.exception("correction.not_settled", tenant=tenant_id)


def _waiting(now: datetime) -> QuerySet[BilledUsage]:
    """Return the revisions that are not billed, and that no usage invoice is to bear."""
    month = month_of(now.astimezone(UTC).date())
    metered = Subscription.objects.filter(
        state=SubscriptionState.ACTIVE, plan__overage=Overage.PRICED
    )
    has_left = ~Q(subscription__tenant__in=metered.values("tenant"))
    was_left_over = Q(noted_at__lt=month_before(month).opens_at)
    before = BilledUsage.objects.filter(
        subscription=OuterRef("subscription"),
        period_start=OuterRef("period_start"),
        meter=OuterRef("meter"),
        revision=OuterRef("revision") - 1,
    )
    unbilled = BilledUsage.objects.filter(
        has_left | was_left_over,
        revision__gt=0,
        invoice=None,
        period_start__gte=month.start - CARRIED,
    )
    return unbilled.exclude(amount=Subquery(before.values("amount"))).order_by()


@transaction.atomic
def _tenant_settle(tenant_id: int, now: datetime) -> None:
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    month = month_of(now.astimezone(UTC).date())
    waiting = set(_waiting(now).filter(subscription__tenant=tenant).values_list("pk", flat=True))
    pending = corrections_pending(tenants=[tenant], since=month.start).get(tenant_id, [])
    corrections = [each for each in pending if each.revision.pk in waiting]
    lines = corrections_lines(corrections, now)
    invoices = list(
        Invoice.objects.select_for_update()
        .filter(
            tenant=tenant,
            kind__in=[InvoiceKind.USAGE, InvoiceKind.SUPPLEMENT],
            period_start__gte=month.start - CARRIED,
        )
        .prefetch_related("lines")
        .order_by("-period_start", "-pk")
    )
    for correction in corrections:
        if correction.difference < 0:
            _give_back(correction, lines[correction.revision.pk].description, invoices, now)
    dearer = [each for each in corrections if each.difference > 0]
    drafts = [_supplement(tenant, each, lines[each.revision.pk]) for each in dearer]
    for correction, invoice in zip(dearer, invoices_issue(drafts=drafts, now=now), strict=True):
        _note(correction, invoice)


def _supplement(tenant: Tenant, correction: Correction, line: Line) -> Draft:
    month = month_of(correction.revision.period_start)
    return Draft(
        tenant=tenant,
        kind=InvoiceKind.SUPPLEMENT,
        currency=correction.revision.price.currency,
        period=(month.start, month.end),
        lines=[line],
        subscription=correction.revision.subscription,
    )


def _note(correction: Correction, invoice: Invoice) -> None:
    correction.revision.invoice = invoice
    correction.revision.save(update_fields=["invoice"])


def _give_back(
    correction: Correction, reason: str, invoices: Sequence[Invoice], now: datetime
) -> None:
    """Take back what was charged too much, by as many credit notes as it takes.

    What is left then was taken back already, by an operator's credit note.
    """
    rest = -correction.difference
    note = None
    for invoice, lines in _sources(correction, invoices):
        amounts = _amounts(lines_left(invoice=invoice), lines, rest)
        if amounts:
            try:
                note = credit_note_issue(
                    invoice=invoice, reason=reason, actor=None, now=now, amounts=amounts
                )
            except Refused as refusal:
                log.warning("correction.refused", invoice=str(invoice), why=str(refusal))
                continue
            rest -= sum(amounts.values())
    if rest:
        log.warning("correction.not_credited", revision=correction.revision.pk, amount=rest)
        of_month = Invoice.objects.filter(corrects__billed_usage__in=correction.revisions)
        note = note or of_month.first()
    if note is not None:
        _note(correction, note)


def _sources(
    correction: Correction, invoices: Sequence[Invoice]
) -> Iterator[tuple[Invoice, list[InvoiceLine]]]:
    """Yield what can be taken back from, the lines of the month itself first."""
    by_pk = {invoice.pk: invoice for invoice in invoices}
    billed = correction.revisions[:-1]
    for place in reversed(range(len(billed))):
        invoice = by_pk.get(billed[place].invoice_id or 0)
        if invoice is None:
            continue
        lines = invoice.lines.all()
        if place == 0:
            yield invoice, [line for line in lines if line.group == LineGroup.USAGE]
        else:
            amount = billed[place].amount - billed[place - 1].amount
            corrected = [line for line in lines if line.group == LineGroup.CORRECTION]
            yield invoice, [line for line in corrected if line.amount == amount]
    groups = {LineGroup.USAGE, LineGroup.CORRECTION}
    for invoice in invoices:
        if invoice.currency == correction.revision.price.currency:
            yield invoice, [line for line in invoice.lines.all() if line.group in groups]


def _amounts(
    left: Mapping[InvoiceLine, int], lines: Sequence[InvoiceLine], most: int
) -> dict[int, int]:
    """Return how much of which lines can be taken back, by position, and no more than `most`.

    Lines below zero leave less of an invoice, and of a rate, than there is of the others.
    """
    rest = min(most, sum(left.values()))
    of_rate: dict[Decimal, int] = defaultdict(int)
    for line, net in left.items():
        of_rate[line.tax_rate] += net
    amounts = {}
    for line in lines:
        net = min(left[line], rest, of_rate[line.tax_rate])
        if net > 0:
            amounts[line.position] = net
            of_rate[line.tax_rate] -= net
            rest -= net
    return amounts
