"""Corrections of earlier months: what waits for an invoice, and the lines that it makes there.

A line is taxed as its month was. What goes back is taken only as far as something is left to pay.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.dues import days_text, month_before, month_of
from billing.lines import Line
from billing.models import BilledUsage, InvoiceLine, InvoiceTax, LineGroup
from billing.services.taxes import taxes_read
from billing.tax_tables import buyers_load, tables_load
from billing.taxes import UNTAXED, Taxation, taxation_of
from tenants.ids import Ids
from tenants.models import Tenant
from tenants.periods import Period

CARRIED = 12  # months that a difference may wait for an invoice


@dataclass(frozen=True)
class Correction:
    """A revision that is not billed yet: the last of `revisions`, which are those of its month."""

    revisions: Sequence[BilledUsage]

    @property
    def revision(self) -> BilledUsage:
        return self.revisions[-1]

    @property
    def before(self) -> BilledUsage:
        return self.revisions[-2]

    @property
    def difference(self) -> int:
        """What is still to be billed, in minor units before tax; below zero: to be given back."""
        return self.revision.amount - self.before.amount


def months_carried(month: Period) -> list[date]:
    """Return the first days of the months before this one that may still be corrected."""
    starts = []
    for _month in range(CARRIED):
        month = month_before(month)
        starts.append(month.start)
    return starts


def corrections_pending(*, tenants: Sequence[Tenant], since: date) -> dict[int, list[Correction]]:
    """Return what is to be corrected of the months before `since`, by the tenant's id, oldest month
    first.
    """
    unbilled = BilledUsage.objects.filter(
        subscription__tenant__in=Ids(tenant.pk for tenant in tenants),
        period_start__in=months_carried(month_of(since)),
        revision__gt=0,
        invoice=None,
    )
    months = list(unbilled.values_list("subscription", "period_start"))
    rows = BilledUsage.objects.filter(
        subscription__in={subscription for subscription, _ in months},
        period_start__in={month for _, month in months},
    )
    by_month: dict[tuple[int, date, str], list[BilledUsage]] = defaultdict(list)
    for row in rows.select_related("subscription__tenant", "price").order_by(
        "period_start", "revision"
    ):
        by_month[row.subscription_id, row.period_start, row.meter].append(row)
    found: dict[int, list[Correction]] = defaultdict(list)
    for revisions in by_month.values():
        for count in range(2, len(revisions) + 1):
            correction = Correction(revisions[:count])
            if correction.revision.invoice_id is None and correction.difference:
                found[correction.revision.subscription.tenant_id].append(correction)
    return found


def corrections_take(
    pending: list[Correction],
    *,
    lines: Mapping[int, Line],
    billed: Iterable[Line],
    taxation: Taxation,
    currency: str,
) -> list[Correction]:
    """Take out of `pending` what an invoice over the `billed` lines can bear, and return it.

    `lines` are those of `corrections_lines`, `taxation` is that of the others. What is dearer is
    added first; what goes back stays where nothing would be left to pay, with tax or without.
    """
    mine = [each for each in pending if each.revision.price.currency == currency]
    taken = [each for each in mine if each.difference > 0]
    nets: dict[Taxation, int] = defaultdict(int)
    for line in [*billed, *(lines[each.revision.pk] for each in taken)]:
        nets[line.taxation or taxation] += line.amount
    for each in mine:
        if each.difference < 0:
            taxed_as = lines[each.revision.pk].taxation or taxation
            left = nets | {taxed_as: nets[taxed_as] + each.difference}
            total = sum(net + taxed.on(net) for taxed, net in left.items())
            if min(sum(left.values()), total) > 0:
                nets.update(left)
                taken.append(each)
    for each in taken:
        pending.remove(each)
    return taken


def corrections_lines(corrections: Collection[Correction], now: datetime) -> Mapping[int, Line]:
    """Return a line for each, by the revision's id, taxed as its month was (`_taxed_then`)."""
    if not corrections:
        return {}
    taxed = _taxed_then(corrections, now)
    lines = {}
    for each in corrections:
        with override(each.revision.subscription.tenant.language):
            text = _description(each)
        lines[each.revision.pk] = Line(
            text,
            1,
            Decimal(each.difference),
            each.difference,
            LineGroup.CORRECTION,
            taxed[each.revision.pk],
        )
    return lines


def _description(correction: Correction) -> str:
    """Say the month's requests now and before; where a cap forgives some, how many are charged."""
    now, before = correction.revision, correction.before
    text = _("Correction of %(month)s: %(now)s requests, billed as %(before)s")
    if now.forgiven or before.forgiven:
        text = _(
            "Correction of %(month)s: %(now)s requests, billed as %(before)s; charged under your "
            "spending cap: %(charged)s instead of %(charged_before)s"
        )
    return text % {
        "month": days_text(month_of(now.period_start)),
        "now": f"{now.quantity:,}",
        "before": f"{before.quantity:,}",
        "charged": f"{now.charged:,}",
        "charged_before": f"{before.charged:,}",
    }


def taxations_on(*, tenant_ids: Collection[int], on: date, now: datetime) -> Mapping[int, Taxation]:
    """Return how each tenant is taxed, by its id, for what was supplied on a day."""
    if not tenant_ids:
        return {}
    tables = tables_load(now=now)
    buyers = buyers_load(tenant_ids=tenant_ids)
    return {pk: taxation_of(tables=tables, buyer=buyer, on=on) for pk, buyer in buyers.items()}


def _taxed_then(corrections: Collection[Correction], now: datetime) -> Mapping[int, Taxation]:
    """Return how the month of each was taxed, by the revision's id.

    That is how its invoice says. Of a month in which nothing was charged it is how the buyer of
    today is taxed by that month's rates, as on any invoice that is late.
    """
    on_invoices = _taxed_on([each.revisions[0].invoice_id for each in corrections])
    by_month: dict[date, set[int]] = defaultdict(set)
    for each in corrections:
        if each.revisions[0].invoice_id not in on_invoices:
            by_month[each.revision.period_start].add(each.revision.subscription.tenant_id)
    late = {
        start: taxations_on(
            tenant_ids=tenant_ids, on=month_of(start).end - timedelta(days=1), now=now
        )
        for start, tenant_ids in by_month.items()
    }
    return {
        each.revision.pk: on_invoices[invoice_id]
        if (invoice_id := each.revisions[0].invoice_id) in on_invoices
        else late[each.revision.period_start][each.revision.subscription.tenant_id]
        for each in corrections
    }


def _taxed_on(invoice_ids: Iterable[int | None]) -> Mapping[int | None, Taxation]:
    """Return how the usage on each invoice was taxed.

    A line says its rate alone: of several taxes of one rate it is that of the largest sum.
    """
    usage = InvoiceLine.objects.filter(invoice__in=set(invoice_ids), group=LineGroup.USAGE)
    rates = dict(usage.order_by().values_list("invoice_id", "tax_rate"))
    found: dict[int | None, Taxation] = dict.fromkeys(rates, UNTAXED)
    for row in InvoiceTax.objects.filter(invoice__in=list(rates)).order_by("net"):
        if row.rate == rates[row.invoice_id]:
            (tax,) = taxes_read([row])
            found[row.invoice_id] = tax.taxation
    return found
