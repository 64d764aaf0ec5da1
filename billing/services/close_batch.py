"""Close a month for a batch of subscriptions: read all, reckon, write all, in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils.translation import override

from billing.capped import most_charged
from billing.dues import Terms, usage_days, usage_lines
from billing.lines import Line
from billing.models import BilledUsage, Invoice, InvoiceKind, Subscription
from billing.proration import fee_for_month
from billing.services.close_read import (
    Close,
    TermsCache,
    subscriptions_locked,
    subscriptions_read,
)
from billing.services.close_settle import settled
from billing.services.correction_lines import (
    Correction,
    corrections_lines,
    corrections_pending,
    corrections_take,
    taxations_on,
)
from billing.services.fee_lines import month_line, setup_line
from billing.services.issuing import Draft, invoices_draft, invoices_issue
from billing.taxes import UNTAXED
from billing.usage import Used, usage_read
from tenants.models import Meter

Written = list[tuple[Invoice, Draft]]


@dataclass(frozen=True)
class _Closing:
    """A subscription's usage of the month, settled and priced. `lines` are by meter."""

    subscription: Subscription
    terms: Terms
    used: Used
    lines: Mapping[Meter, Sequence[Line]]

    @property
    def all_lines(self) -> list[Line]:
        return [line for lines in self.lines.values() for line in lines]


@transaction.atomic
def batch_close(*, ids: Collection[int], close: Close, cache: TermsCache) -> Written:
    """Issue what is due of these subscriptions and not billed yet; return it.

    Subscriptions that others hold are left for the next run.
    """
    subscriptions = subscriptions_locked(ids)
    terms = cache.get(subscription.price_id for subscription in subscriptions)
    closings = _closings(subscriptions, terms, close, dry_run=False)
    usages = _usages(closings, close)
    fees = _fees(subscriptions, terms, close)
    drafts = [*fees, *(draft for draft, _ in usages)]
    invoices = invoices_issue(drafts=drafts, now=close.now)
    _billed_usage_write(closings, invoices, close)
    for (_, corrections), invoice in zip(usages, invoices[len(fees) :], strict=True):
        for correction in corrections:
            correction.revision.invoice = invoice
            correction.revision.save(update_fields=["invoice"])
    return list(zip(invoices, drafts, strict=True))


def batch_would_close(*, ids: Collection[int], close: Close, cache: TermsCache) -> Written:
    """Return what `batch_close` would issue now, without numbers. Nothing is written."""
    subscriptions = subscriptions_read(ids)
    terms = cache.get(subscription.price_id for subscription in subscriptions)
    closings = _closings(subscriptions, terms, close, dry_run=True)
    usages = _usages(closings, close)
    drafts = [*_fees(subscriptions, terms, close), *(draft for draft, _ in usages)]
    drafted = invoices_draft(drafts=drafts, now=close.now)
    return [(each.invoice, each.draft) for each in drafted]


def _fees(
    subscriptions: Sequence[Subscription], terms: Mapping[int, Terms], close: Close
) -> list[Draft]:
    """Return the invoices of fees in advance that are due and not there yet."""
    there = Invoice.objects.filter(
        subscription__in=subscriptions, period_start=close.ahead.start, kind=InvoiceKind.FEE
    )
    billed = set(there.values_list("subscription_id", flat=True))
    drafts = []
    for subscription in subscriptions:
        if subscription.pk in billed:
            continue
        with override(subscription.tenant.language):  # the lines are for the tenant
            lines = _fee_lines(subscription, terms[subscription.price_id], close)
        drafts.append(_draft(subscription, InvoiceKind.FEE, lines, terms, close))
    return [draft for draft in drafts if draft.subtotal]


def _fee_lines(subscription: Subscription, terms: Terms, close: Close) -> list[Line]:
    share = fee_for_month(
        fee=terms.price.monthly_fee,
        fee_from=subscription.fee_from,
        fee_until=subscription.fee_until,
        month=close.ahead,
    )
    if share is None or share.start > close.as_of:
        return []
    lines = [month_line(terms.plan, share)] if share.amount else []
    if subscription.owes_setup and share.start == subscription.fee_from:
        lines.append(setup_line(terms.plan, terms.price))
    return lines


def _closings(
    subscriptions: Sequence[Subscription],
    terms: Mapping[int, Terms],
    close: Close,
    *,
    dry_run: bool,
) -> list[_Closing]:
    """Return the usage of the month that has settled, of those whose month is not closed yet."""
    if close.as_of <= close.month.end:
        return []
    there = BilledUsage.objects.filter(
        subscription__in=subscriptions, period_start=close.month.start
    )
    closed = set(there.values_list("subscription_id", flat=True))
    days = {
        subscription.pk: held
        for subscription in subscriptions
        if subscription.pk not in closed
        and terms[subscription.price_id].steps
        and (held := usage_days(subscription, close.month))
    }
    open_ = [subscription for subscription in subscriptions if subscription.pk in days]
    meters = {meter for subscription in open_ for meter in terms[subscription.price_id].steps}
    used = usage_read(days, open_, meters)
    counted = {
        subscription.pk: used[subscription.pk]
        for subscription in open_
        if Meter.REQUESTS in terms[subscription.price_id].steps
    }
    most = most_charged(subscriptions=open_, month=close.month)
    is_settled = settled(counted, month_start=close.month.start, dry_run=dry_run)
    return [
        _closing(
            subscription,
            terms[subscription.price_id],
            used[subscription.pk],
            most.get(subscription.pk),
        )
        for subscription in open_
        if subscription.pk in is_settled or subscription.pk not in counted
    ]


def _closing(subscription: Subscription, terms: Terms, used: Used, most: int | None) -> _Closing:
    with override(subscription.tenant.language):
        lines = usage_lines(terms, used.days, used.by_meter, most)
    return _Closing(subscription, terms, used, lines)


def _usages(closings: Sequence[_Closing], close: Close) -> list[tuple[Draft, Sequence[Correction]]]:
    """Return the invoices of usage in arrears, with what they correct of earlier months.

    Nothing that comes to zero.
    """
    pending = corrections_pending(
        tenants=[closing.subscription.tenant for closing in closings], since=close.month.start
    )
    lines = corrections_lines([each for found in pending.values() for each in found], close.now)
    taxations = taxations_on(
        tenant_ids=pending.keys(), on=close.month.end - timedelta(days=1), now=close.now
    )
    usages: list[tuple[Draft, Sequence[Correction]]] = []
    for closing in closings:
        tenant_id = closing.subscription.tenant_id
        corrections = corrections_take(
            pending.get(tenant_id, []),
            lines=lines,
            billed=closing.all_lines,
            taxation=taxations.get(tenant_id, UNTAXED),
            currency=closing.terms.price.currency,
        )
        draft = _draft(
            closing.subscription,
            InvoiceKind.USAGE,
            [*closing.all_lines, *(lines[each.revision.pk] for each in corrections)],
            {closing.subscription.price_id: closing.terms},
            close,
        )
        if draft.subtotal:
            usages.append((draft, corrections))
    return usages


def _draft(
    subscription: Subscription,
    kind: InvoiceKind,
    lines: Sequence[Line],
    terms: Mapping[int, Terms],
    close: Close,
) -> Draft:
    period = close.ahead if kind == InvoiceKind.FEE else close.month
    return Draft(
        tenant=subscription.tenant,
        kind=kind,
        subscription=subscription,
        currency=terms[subscription.price_id].price.currency,
        period=(period.start, period.end),
        lines=lines,
    )


def _billed_usage_write(
    closings: Iterable[_Closing], invoices: Iterable[Invoice], close: Close
) -> None:
    """Note what the month was billed as, nothing too: it is closed by this."""
    usage = {
        invoice.subscription_id: invoice
        for invoice in invoices
        if invoice.kind == InvoiceKind.USAGE
    }
    BilledUsage.objects.bulk_create(
        BilledUsage(
            subscription=closing.subscription,
            price=closing.terms.price,
            meter=meter,
            period_start=close.month.start,
            quantity=closing.used.by_meter.get(meter, 0),
            amount=sum(line.amount for line in lines),
            invoice=usage.get(closing.subscription.pk),
            noted_at=close.now,
        )
        for closing in closings
        for meter, lines in closing.lines.items()
    )
