"""Corrections that no usage invoice is to bear: a supplementary invoice, or credit notes.

They are those of tenants who pay by usage no more, and those that the next close could not take.
What goes back comes off what was charged for that month; then, where an invoice of it is the
smaller for a correction of another month, off what was charged for that one. One tenant is one
transaction: the tenant is locked, then its invoices, and the counter last.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    Correction,
    corrections_lines,
    corrections_pending,
    months_carried,
)
from billing.services.credit_notes import credit_note_issue
from billing.services.creditable import lines_left
from billing.services.issuing import Draft, invoices_issue
from tenants.errors import Refused
from tenants.models import Tenant

log = structlog.get_logger(__name__)


def corrections_settle(*, now: datetime) -> None:
    """Bill, or give back, what no usage invoice is to bear. One's failure stops no other's."""
    for tenant_id in _waiting(now).values_list("subscription__tenant", flat=True).distinct():
        try:
            tenant_settle(tenant_id=tenant_id, now=now)
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
        period_start__in=months_carried(month),
    )
    return unbilled.exclude(amount=Subquery(before.values("amount"))).order_by()


@transaction.atomic
def tenant_settle(*, tenant_id: int, now: datetime) -> None:
    """Bill, or give back, what of a tenant no usage invoice is to bear; again does nothing."""
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    month = month_of(now.astimezone(UTC).date())
    waiting = set(_waiting(now).filter(subscription__tenant=tenant).values_list("pk", flat=True))
    pending = corrections_pending(tenants=[tenant], since=month.start).get(tenant_id, [])
    corrections = [each for each in pending if each.revision.pk in waiting]
    lines = corrections_lines(corrections, now)
    charged = Invoice.objects.select_for_update().filter(
        tenant=tenant,
        kind__in=[InvoiceKind.USAGE, InvoiceKind.SUPPLEMENT],
        period_start__in=months_carried(month),
    )
    invoices = {each.pk: each for each in charged.prefetch_related("lines").order_by("pk")}
    dearer = [each for each in corrections if each.difference > 0]
    drafts = [_supplement(tenant, each, lines[each.revision.pk]) for each in dearer]
    for correction, invoice in zip(dearer, invoices_issue(drafts=drafts, now=now), strict=True):
        _note(correction, invoice)
        invoices[invoice.pk] = invoice  # a later revision of the month may take it back
    for correction in corrections:
        if correction.difference < 0:
            _give_back(correction, lines[correction.revision.pk].description, invoices, now)


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
    correction: Correction, reason: str, invoices: Mapping[int, Invoice], now: datetime
) -> None:
    """Take back what was charged too much, by as many credit notes as it takes.

    What is left then was taken back already, by an operator's credit note.
    """
    rest, short = -correction.difference, 0
    note = None
    for source in _sources(correction.revisions[:-1], invoices):
        left = lines_left(invoice=source.invoice)
        amounts = _amounts(left, source.lines, rest if source.is_own else min(rest, short))
        taken = sum(amounts.values())
        if amounts:
            try:
                note = credit_note_issue(
                    invoice=source.invoice, reason=reason, actor=None, now=now, amounts=amounts
                )
            except Refused as refusal:
                log.warning("correction.refused", invoice=str(source.invoice), why=str(refusal))
                continue
        rest -= taken
        short += (sum(left[line] for line in source.lines) if source.is_own else 0) - taken
    if rest:
        log.warning("correction.not_credited", revision=correction.revision.pk, amount=rest)
        of_month = Invoice.objects.filter(corrects__billed_usage__in=correction.revisions)
        note = note or of_month.first()
    if note is not None:
        _note(correction, note)


@dataclass(frozen=True)
class _Source:
    """Lines that can be taken back from: those of the month itself, or of another month."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]
    is_own: bool = True


def _sources(
    revisions: Sequence[BilledUsage], invoices: Mapping[int, Invoice]
) -> Iterator[_Source]:
    """Yield what was charged for a month by its revisions, the last of it first.

    Then, where an invoice of these bore what went back of other months, what was charged for them.
    """
    own = list(_charged(revisions, invoices))
    yield from own
    looked_at = {source.invoice.pk for source in own}
    todo = list(looked_at)
    while todo:
        for corrected in BilledUsage.objects.filter(invoice=todo.pop(), revision__gt=0):
            earlier = BilledUsage.objects.filter(
                subscription=corrected.subscription_id,
                period_start=corrected.period_start,
                meter=corrected.meter,
                revision__lt=corrected.revision,
            ).order_by("revision")
            for source in _charged(list(earlier), invoices):
                if source.invoice.pk not in looked_at:
                    looked_at.add(source.invoice.pk)
                    todo.append(source.invoice.pk)
                    yield replace(source, is_own=False)


def _charged(
    revisions: Sequence[BilledUsage], invoices: Mapping[int, Invoice]
) -> Iterator[_Source]:
    for place in reversed(range(len(revisions))):
        invoice = invoices.get(revisions[place].invoice_id or 0)
        if invoice is None:
            continue
        lines = invoice.lines.all()
        if place == 0:
            yield _Source(invoice, [line for line in lines if line.group == LineGroup.USAGE])
        else:
            amount = revisions[place].amount - revisions[place - 1].amount
            corrected = [line for line in lines if line.group == LineGroup.CORRECTION]
            yield _Source(invoice, [line for line in corrected if line.amount == amount > 0])


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
