"""What is due of a batch of subscriptions: fees in advance, and usage that has settled.

Whose tax cannot be stated yet is left out, and named: the others are not kept from their invoices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from billing.capped import most_charged
from billing.dues import Terms, charged, usage_days, usage_lines
from billing.lines import Line
from billing.models import BilledUsage, Invoice, InvoiceKind, Subscription
from billing.proration import fee_for_month
from billing.services.close_read import Close, TermsCache, in_their_languages
from billing.services.close_settle import settled
from billing.services.correction_lines import (
    Correction,
    corrections_lines,
    corrections_pending,
    corrections_take,
    taxations_on,
)
from billing.services.fee_lines import month_line, setup_line
from billing.services.issuing import Draft
from billing.tax_tables import buyers_load, issuer, tables_load
from billing.taxes import UNTAXED, home_currency, taxes_of
from billing.usage import Used, usage_read
from tenants.errors import Refused
from tenants.ids import Ids
from tenants.models import Meter, Tenant, TenantState

_Key = tuple[int, str]  # a subscription's id, and the kind of its invoice


@dataclass(frozen=True)
class Closing:
    """A subscription's usage of the month, settled and priced. `lines` are by meter; `forgiven` is
    how many requests passed beyond a cap.

    `draft` is its invoice, with the corrections that it bears; None where that comes to nothing.
    """

    subscription: Subscription
    terms: Terms
    used: Used
    lines: Mapping[Meter, Sequence[Line]]
    forgiven: int
    corrections: Sequence[Correction] = ()
    draft: Draft | None = None

    @property
    def all_lines(self) -> list[Line]:
        return [line for lines in self.lines.values() for line in lines]


@dataclass(frozen=True)
class Due:
    """What is due of a batch. `refused` maps the tenants who cannot be billed yet to the reason."""

    fees: Sequence[Draft]
    closings: Sequence[Closing]
    refused: Mapping[str, str]

    @property
    def drafts(self) -> list[Draft]:
        """All invoices to be."""
        return [*self.fees, *(each.draft for each in self.closings if each.draft)]


def batch_due(
    *, subscriptions: Sequence[Subscription], close: Close, cache: TermsCache, dry_run: bool
) -> Due:
    """Return what is due of these subscriptions and not billed yet.

    Readings of usage are noted, but in a dry run. Call it where the subscriptions are locked.
    """
    terms = cache.get(subscription.price_id for subscription in subscriptions)
    closings = _drafted(_closings(subscriptions, terms, close, dry_run=dry_run), close)
    due = Due(_fees(subscriptions, terms, close), closings, {})
    refused = _untaxable(due.drafts, close)
    if not refused:
        return due
    kept = [fee for fee in due.fees if _key(fee) not in refused]
    closings = [each for each in closings if each.draft is None or _key(each.draft) not in refused]
    drafts = [draft for draft in due.drafts if _key(draft) in refused]
    tenants = Tenant.objects.filter(pk__in=Ids(draft.tenant.pk for draft in drafts))
    uuids = dict(tenants.values_list("pk", "uuid"))
    said = {f"{draft.tenant} ({uuids[draft.tenant.pk]})": refused[_key(draft)] for draft in drafts}
    return Due(kept, closings, said)


def _key(draft: Draft) -> _Key:
    return (draft.subscription.pk if draft.subscription else 0, draft.kind)


def _untaxable(drafts: Sequence[Draft], close: Close) -> dict[_Key, str]:
    """Return whose tax cannot be stated for want of a rate of exchange, and what is wanting."""
    home = home_currency(issuer())
    if all(home in {"", draft.currency} for draft in drafts):
        return {}
    tables = tables_load(now=close.now)
    foreign = [
        draft
        for draft in drafts
        if draft.currency != home and draft.currency not in tables.exchanges
    ]
    buyers = buyers_load(tenant_ids=[draft.tenant.pk for draft in foreign])
    found = {}
    for draft in foreign:
        try:
            taxes_of(
                tables=tables,
                buyer=buyers[draft.tenant.pk],
                currency=draft.currency,
                lines=draft.lines,
                on=draft.taxed_on(tables.day),
            )
        except Refused as refusal:
            found[_key(draft)] = str(refusal)
    return found


def _fees(
    subscriptions: Sequence[Subscription], terms: Mapping[int, Terms], close: Close
) -> list[Draft]:
    """Return the invoices of fees in advance that are due and not there yet."""
    there = Invoice.objects.filter(
        subscription__in=Ids(each.pk for each in subscriptions),
        period_start=close.ahead.start,
        kind=InvoiceKind.FEE,
    )
    billed = set(there.values_list("subscription_id", flat=True))
    drafts = []
    for subscription in in_their_languages(subscriptions):
        if subscription.pk not in billed:
            lines = _fee_lines(subscription, terms[subscription.price_id], close)
            drafts.append(_draft(subscription, InvoiceKind.FEE, lines, terms, close))
    return [draft for draft in drafts if draft.subtotal]


def _fee_lines(subscription: Subscription, terms: Terms, close: Close) -> list[Line]:
    if subscription.fee_until is None and subscription.tenant.state != TenantState.ACTIVE:
        return []
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
) -> list[Closing]:
    """Return the usage of the month that has settled, of those whose month is not closed yet."""
    if close.as_of <= close.month.end:
        return []
    there = BilledUsage.objects.filter(
        subscription__in=Ids(each.pk for each in subscriptions), period_start=close.month.start
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
        for subscription in in_their_languages(open_)
        if subscription.pk in is_settled or subscription.pk not in counted
    ]


def _closing(subscription: Subscription, terms: Terms, used: Used, most: int | None) -> Closing:
    lines = usage_lines(terms, used.days, used.by_meter, most)
    requests = used.by_meter.get(Meter.REQUESTS, 0)
    forgiven = requests - charged(Meter.REQUESTS, requests, most)
    return Closing(subscription, terms, used, lines, forgiven)


def _drafted(closings: Sequence[Closing], close: Close) -> list[Closing]:
    """Return them with their invoices, and what these correct of earlier months."""
    pending = corrections_pending(
        tenants=[closing.subscription.tenant for closing in closings], since=close.month.start
    )
    lines = corrections_lines([each for found in pending.values() for each in found], close.now)
    taxations = taxations_on(
        tenant_ids=pending.keys(), on=close.month.end - timedelta(days=1), now=close.now
    )
    drafted = []
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
        is_invoice = draft.subtotal != 0
        drafted.append(
            replace(closing, corrections=corrections, draft=draft) if is_invoice else closing
        )
    return drafted


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
