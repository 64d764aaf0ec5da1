"""What the month's close reads: who is due, and their terms. A query each per batch."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Greatest
from django.utils.translation import override

from billing.dues import Terms, terms_of
from billing.models import (
    BilledUsage,
    Invoice,
    InvoiceKind,
    Overage,
    PriceTier,
    PriceVersion,
    Subscription,
    SubscriptionState,
)
from billing.services.changes import is_decided
from tenants.ids import Ids
from tenants.models import Meter, TenantState
from tenants.periods import Period


@dataclass(frozen=True)
class Close:
    """The close of a month: its usage in arrears, and the fees of the month `ahead` in advance.

    `as_of` is the UTC day by which something is due, `now` when it is written.
    """

    month: Period
    ahead: Period
    as_of: date
    now: datetime


def due(close: Close) -> QuerySet[Subscription]:
    """Return the subscriptions of which something may be due that is not billed yet."""
    begun = Subscription.objects.exclude(state=SubscriptionState.INCOMPLETE)
    return begun.filter(_fee_is_due(close) | _usage_is_due(close), is_decided(day=close.as_of))


def usage_due(close: Close) -> QuerySet[Subscription]:
    """Return likewise those of whose usage the month is not closed yet."""
    return due(close).filter(_usage_is_due(close))


def _fee_is_due(close: Close) -> Q:
    """None is, of what goes on without an end, while its tenant is being deleted."""
    billed = Invoice.objects.filter(
        subscription=OuterRef("pk"), period_start=close.ahead.start, kind=InvoiceKind.FEE
    )
    return Q(
        ~Exists(billed),
        Q(fee_until__isnull=False) | Q(tenant__state=TenantState.ACTIVE),
        Q(fee_until=None) | Q(fee_until__gt=Greatest("fee_from", Value(close.ahead.start))),
        Q(price__monthly_fee__gt=0) | Q(owes_setup=True),
        fee_from__lt=close.ahead.end,
        fee_from__lte=close.as_of,
    )


def _usage_is_due(close: Close) -> Q:
    """Nothing is closed before the 2nd. What a meter's price is, is told by its plan too."""
    if close.as_of <= close.month.end:
        return Q(pk__in=[])
    charged = PriceTier.objects.filter(unit_amount__gt=0)
    priced = charged.exclude(meter=Meter.REQUESTS, price__plan__overage=Overage.STOPPED)
    closed = BilledUsage.objects.filter(subscription=OuterRef("pk"), period_start=close.month.start)
    return Q(
        ~Exists(closed),
        Q(ends_on=None) | Q(ends_on__gte=close.month.start),
        Q(trial_ends_on=None) | Q(trial_ends_on__lt=close.month.end),
        Q(trial_ends_on=None) | Q(ends_on=None) | Q(ends_on__gte=F("trial_ends_on")),
        price__in=priced.values("price"),
        starts_on__lt=close.month.end,
    )


def subscriptions_locked(ids: Collection[int]) -> list[Subscription]:
    """Lock subscriptions and their tenants; those that others hold just now are left out.

    The tenants', because invoices and postings point at them, and the counter is to be waited for
    last. Nobody is waited for here, so nobody waits for us who holds what we want.
    """
    rows = _needed(ids).select_for_update(of=("self", "tenant"), skip_locked=True, no_key=True)
    return list(rows)


def subscriptions_read(ids: Collection[int]) -> list[Subscription]:
    """Return the same without a lock, for a dry run."""
    return list(_needed(ids))


def _needed(ids: Collection[int]) -> QuerySet[Subscription]:
    """Return subscriptions with their tenants, and of both what a bill is made of."""
    rows = Subscription.objects.filter(pk__in=Ids(ids)).select_related("tenant").order_by("pk")
    return rows.defer(
        "state", "created_at",
        "tenant__uuid", "tenant__created_at", "tenant__reconcile_at",
        "tenant__reconcile_revision", "tenant__reconcile_attempts", "tenant__reconcile_error",
        "tenant__claimed_until",
    )  # fmt: skip


def in_their_languages(subscriptions: Iterable[Subscription]) -> Iterator[Subscription]:
    """Yield subscriptions, the language of the tenant active: their lines are for it.

    Those of one language come together: to change it takes as long as to write a line.
    """
    ordered = sorted(subscriptions, key=_language)
    for language, having in groupby(ordered, key=_language):
        with override(language):
            yield from having


def _language(subscription: Subscription) -> str:
    return subscription.tenant.language


@dataclass
class TermsCache:
    """The terms of every price version met so far: there are few, for many who have them."""

    _by_price: dict[int, Terms] = field(default_factory=dict)

    def get(self, price_ids: Iterable[int]) -> Mapping[int, Terms]:
        """Return terms by the price's id, with at least these among them."""
        unknown = set(price_ids) - self._by_price.keys()
        if unknown:
            prices = PriceVersion.objects.filter(pk__in=unknown).select_related("plan")
            for price in prices.prefetch_related("tiers"):
                self._by_price[price.pk] = terms_of(price)
        return self._by_price
