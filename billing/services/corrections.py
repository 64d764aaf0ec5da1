"""Months that the gateway told otherwise after they were closed.

A figure that has settled anew becomes another revision of what was billed, with what the whole
month comes to by the price that the subscription had. The difference goes on the tenant's next
usage invoice (`corrections_take`). Where none is to come, it is a supplementary invoice or a credit
note; what no credit note can take back waits, as a revision without an invoice.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing import tiers
from billing.capped import most_charged
from billing.dues import charged, days_text, month_before, month_of, usage_days
from billing.lines import Line
from billing.models import (
    BilledUsage,
    InvoiceKind,
    LineGroup,
    Overage,
    Subscription,
    SubscriptionState,
)
from billing.services.close_read import TermsCache, subscriptions_locked
from billing.services.close_settle import settled
from billing.services.credit_notes import credit_note_issue
from billing.services.issuing import Draft, invoices_issue
from billing.tax_tables import buyers_load, tables_load
from billing.taxes import taxation_of
from billing.usage import usage_read
from tenants.errors import Refused
from tenants.models import Meter, Tenant
from tenants.periods import Period

log = structlog.get_logger(__name__)

MONTHS = 3  # that are looked at again
BATCH = 1_000
_CARRIED = timedelta(days=365)  # how long a difference waits for an invoice that can bear it


@dataclass(frozen=True)
class Correction:
    """A revision that is not billed yet, and the difference that it makes, in minor units."""

    revision: BilledUsage
    before: BilledUsage

    @property
    def difference(self) -> int:
        return self.revision.amount - self.before.amount


def months_correct(*, now: datetime) -> int:
    """Note what has changed of the last months' usage; return how many revisions that is."""
    month, noted = month_before(month_of(now.astimezone(UTC).date())), 0
    for _month in range(MONTHS):
        closed = BilledUsage.objects.filter(
            period_start=month.start, meter=Meter.REQUESTS, revision=0
        ).order_by("subscription_id")
        ids = list(closed.values_list("subscription_id", flat=True))
        for start in range(0, len(ids), BATCH):
            noted += _batch(ids[start : start + BATCH], month, now)
        month = month_before(month)
    return noted


def _batch(ids: Collection[int], month: Period, now: datetime) -> int:
    try:
        return _batch_correct(ids, month, now)
    except Exception as error:
        if len(ids) == 1:
            log.exception("correction.failed", subscriptions=ids)
            return 0
        log.warning("correction.batch_failed", subscriptions=len(ids), error=str(error))
        return sum(_batch([pk], month, now) for pk in ids)


@transaction.atomic
def _batch_correct(ids: Collection[int], month: Period, now: datetime) -> int:
    subscriptions = subscriptions_locked(ids)
    latest: dict[int, BilledUsage] = {}
    for billed in BilledUsage.objects.filter(
        subscription__in=subscriptions, period_start=month.start, meter=Meter.REQUESTS
    ).order_by("revision"):
        latest[billed.subscription_id] = billed
    days = {
        subscription.pk: held
        for subscription in subscriptions
        if subscription.pk in latest and (held := usage_days(subscription, month))
    }
    looked_at = [subscription for subscription in subscriptions if subscription.pk in days]
    used = usage_read(days, looked_at, [Meter.REQUESTS])
    is_settled = settled(used, month_start=month.start)
    most = most_charged(subscriptions=looked_at, month=month)
    terms = TermsCache().get(billed.price_id for billed in latest.values())
    corrections = []
    for subscription in looked_at:
        before = latest[subscription.pk]
        figure = used[subscription.pk].by_meter.get(Meter.REQUESTS, 0)
        if subscription.pk in is_settled and figure != before.quantity:
            steps = terms[before.price_id].steps[Meter.REQUESTS]
            paid = charged(Meter.REQUESTS, figure, most.get(subscription.pk))
            revision = BilledUsage(
                subscription=subscription,
                price_id=before.price_id,
                meter=Meter.REQUESTS,
                period_start=month.start,
                revision=before.revision + 1,
                quantity=figure,
                amount=tiers.price(steps, paid),
                noted_at=now,
            )
            corrections.append(Correction(revision, before))
    BilledUsage.objects.bulk_create(correction.revision for correction in corrections)
    _bill_those_who_left(corrections, now)
    return len(corrections)


def _bill_those_who_left(corrections: Iterable[Correction], now: datetime) -> None:
    """Bill the tenants who pay by usage no more: no invoice is to come that could bear it."""
    changed = [correction for correction in corrections if correction.difference]
    tenant_ids = {correction.revision.subscription.tenant_id for correction in changed}
    metered = Subscription.objects.filter(
        tenant__in=tenant_ids, state=SubscriptionState.ACTIVE, plan__overage=Overage.PRICED
    )
    staying = set(metered.values_list("tenant_id", flat=True))
    left = [each for each in changed if each.revision.subscription.tenant_id not in staying]
    taken = corrections_lines(left, now)
    dearer = [each for each in left if each.difference > 0]
    drafts = [
        Draft(
            tenant=correction.revision.subscription.tenant,
            kind=InvoiceKind.SUPPLEMENT,
            currency=correction.revision.price.currency,
            period=_period(correction),
            lines=[taken[correction.revision.pk]],
            subscription=correction.revision.subscription,
        )
        for correction in dearer
    ]
    for correction, invoice in zip(dearer, invoices_issue(drafts=drafts, now=now), strict=True):
        correction.revision.invoice = invoice
        correction.revision.save(update_fields=["invoice"])
    for correction in left:
        if correction.difference < 0:
            _credit(correction, taken[correction.revision.pk].description, now)


def _period(correction: Correction) -> tuple[date, date]:
    month = month_of(correction.revision.period_start)
    return month.start, month.end


def _credit(correction: Correction, reason: str, now: datetime) -> None:
    """Take back what was billed too much. What cannot be credited is left as it is."""
    if correction.before.invoice is None:
        return
    try:
        note = credit_note_issue(
            invoice=correction.before.invoice,
            reason=reason,
            actor=None,
            now=now,
            amount=-correction.difference,
        )
    except Refused as refusal:
        log.warning("correction.not_credited", revision=correction.revision.pk, why=str(refusal))
        return
    correction.revision.invoice = note
    correction.revision.save(update_fields=["invoice"])


def corrections_pending(*, tenants: Sequence[Tenant], since: date) -> dict[int, list[Correction]]:
    """Return what is to be corrected on the tenants' next usage invoices, oldest month first."""
    rows = BilledUsage.objects.filter(
        subscription__tenant__in=tenants,
        period_start__gte=since - _CARRIED,
        period_start__lt=since,
    )
    by_month: dict[tuple[int, date, str], list[BilledUsage]] = defaultdict(list)
    for row in rows.select_related("subscription", "price").order_by("period_start", "revision"):
        by_month[row.subscription_id, row.period_start, row.meter].append(row)
    found: dict[int, list[Correction]] = defaultdict(list)
    for revisions in by_month.values():
        for before, revision in pairwise(revisions):
            correction = Correction(revision, before)
            if revision.invoice_id is None and correction.difference:
                found[revision.subscription.tenant_id].append(correction)
    return found


def corrections_take(
    pending: list[Correction], *, subtotal: int, currency: str
) -> list[Correction]:
    """Take out of `pending` what an invoice over `subtotal` can bear, and return it.

    What is dearer is added first; what goes back stays where nothing would be left to pay.
    """
    mine = [each for each in pending if each.revision.price.currency == currency]
    taken = [each for each in mine if each.difference > 0]
    left = subtotal + sum(each.difference for each in taken)
    for each in mine:
        if each.difference < 0 < left + each.difference:
            taken.append(each)
            left += each.difference
    for each in taken:
        pending.remove(each)
    return taken


def corrections_lines(corrections: Collection[Correction], now: datetime) -> Mapping[int, Line]:
    """Return a line for each, by the revision's id: taxed as its month was."""
    if not corrections:
        return {}
    subscriptions = {each.revision.pk: each.revision.subscription for each in corrections}
    tables = tables_load(now=now)
    buyers = buyers_load(tenant_ids={each.tenant_id for each in subscriptions.values()})
    lines = {}
    for each in corrections:
        month = month_of(each.revision.period_start)
        buyer = buyers[subscriptions[each.revision.pk].tenant_id]
        last_day = month.end - timedelta(days=1)
        with override(buyer.language):
            description = _("Correction of %(month)s: %(now)s requests, billed as %(before)s") % {
                "month": days_text(month),
                "now": f"{each.revision.quantity:,}",
                "before": f"{each.before.quantity:,}",
            }
        lines[each.revision.pk] = Line(
            description,
            1,
            Decimal(each.difference),
            each.difference,
            LineGroup.CORRECTION,
            taxation_of(tables=tables, buyer=buyer, on=last_day),
        )
    return lines
