"""What the month's close reads: who is due, their terms, their usage. A query each per batch."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Greatest

import tenants.selectors
from billing.dues import Terms, terms_of, usage_owner
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
from tenants.models import GatewayPlan, Meter
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


def _fee_is_due(close: Close) -> Q:
    billed = Invoice.objects.filter(
        subscription=OuterRef("pk"), period_start=close.ahead.start, kind=InvoiceKind.FEE
    )
    return Q(
        ~Exists(billed),
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
        price__in=priced.values("price"),
        starts_on__lt=close.month.end,
    )


def subscriptions_locked(ids: Collection[int]) -> list[Subscription]:
    """Lock subscriptions and their tenants; those that others hold just now are left out.

    The tenants', because invoices and postings point at them, and the counter is to be waited for
    last. Nobody is waited for here, so nobody waits for us who holds what we want.
    """
    rows = Subscription.objects.select_for_update(
        of=("self", "tenant"), skip_locked=True, no_key=True
    )
    return list(rows.select_related("tenant").filter(pk__in=ids).order_by("pk"))


def subscriptions_read(ids: Collection[int]) -> list[Subscription]:
    """Return the same without a lock, for a dry run."""
    rows = Subscription.objects.select_related("tenant")
    return list(rows.filter(pk__in=ids).order_by("pk"))


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


@dataclass(frozen=True)
class Used:
    """What a subscription used in its days of a month, and since when the gateway's answers hold
    all of it; None where some plan was never read.
    """

    days: Period
    by_meter: Mapping[Meter, int]
    read_at: datetime | None


def usage_read(
    days: Mapping[int, Period], subscriptions: Sequence[Subscription], meters: Collection[Meter]
) -> dict[int, Used]:
    """Return what each of these subscriptions used in its `days`, by its id.

    One query for all that have the same days, which is nearly everybody, and one for all that share
    the same day with another subscription.
    """
    by_days: dict[Period, list[Subscription]] = defaultdict(list)
    for subscription in subscriptions:
        by_days[days[subscription.pk]].append(subscription)
    used: dict[int, dict[Meter, int]] = {}
    used_under: dict[int, set[int]] = defaultdict(set)
    for period, having in by_days.items():
        of_tenant: dict[int, dict[Meter, int]] = defaultdict(lambda: defaultdict(int))
        for row in tenants.selectors.usage_sums(
            tenants=[subscription.tenant_id for subscription in having],
            meters=meters,
            start=period.start,
            end=period.end,
        ):
            of_tenant[row.tenant_id][Meter(row.meter)] += row.used
            if row.gateway_plan_id is not None:
                used_under[row.tenant_id].add(row.gateway_plan_id)
        for subscription in having:
            used[subscription.pk] = dict(of_tenant.get(subscription.tenant_id, {}))
    for pk, meter, count in _of_others(days, subscriptions, meters):
        used[pk][meter] -= count
    read_at = tenants.selectors.usage_read_at(
        tenants=[subscription.tenant for subscription in subscriptions], used_under=used_under
    )
    return {
        subscription.pk: Used(
            days[subscription.pk], used[subscription.pk], read_at.get(subscription.tenant_id)
        )
        for subscription in subscriptions
    }


def _of_others(
    days: Mapping[int, Period], subscriptions: Sequence[Subscription], meters: Collection[Meter]
) -> list[tuple[int, Meter, int]]:
    """Return what of the days of a change is another's, by the subscription's id and the meter."""
    shared: dict[date, list[Subscription]] = defaultdict(list)
    for subscription in subscriptions:
        held = days[subscription.pk]
        for day in {subscription.starts_on, subscription.ends_on}:
            if day is not None and held.start <= day < held.end:
                shared[day].append(subscription)
    if not shared:
        return []
    tenant_ids = {each.tenant_id for having in shared.values() for each in having}
    of_tenant: dict[int, list[Subscription]] = defaultdict(list)
    begun = Subscription.objects.filter(tenant__in=tenant_ids, starts_on__isnull=False)
    for subscription in begun.select_related("plan").order_by("starts_on", "pk"):
        of_tenant[subscription.tenant_id].append(subscription)
    usage_plans = dict(GatewayPlan.objects.values_list("pk", "usage_plan_id"))
    found = []
    for day, having in shared.items():
        mine: dict[int, list[Subscription]] = defaultdict(list)
        for subscription in having:
            mine[subscription.tenant_id].append(subscription)
        for row in tenants.selectors.usage_sums(
            tenants=list(mine), meters=meters, start=day, end=day + timedelta(days=1)
        ):
            usage_plan_id = usage_plans[row.gateway_plan_id] if row.gateway_plan_id else None
            owner = usage_owner(day, usage_plan_id, of_tenant[row.tenant_id])
            found += [
                (each.pk, Meter(row.meter), row.used)
                for each in mine[row.tenant_id]
                if each != owner
            ]
    return found
