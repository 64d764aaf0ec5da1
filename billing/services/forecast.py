"""The next invoices as they stand: what the close would bill now, and what it is likely to bill.

Usage goes on as in the last seven full days (UTC), or as many as the plan was held; it is never
less than what is used, nor more than a spending cap allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from billing import tiers
from billing.capped import most_charged
from billing.dues import Terms, charged, month_of, terms_of, usage_days, usage_lines
from billing.lines import Line
from billing.models import (
    ChangeState,
    PlanChange,
    PriceMove,
    PriceVersion,
    Subscription,
    SubscriptionState,
)
from billing.money import rounded
from billing.proration import Share, fee_for_month
from billing.services.correction_lines import (
    corrections_lines,
    corrections_pending,
    corrections_take,
    taxations_on,
)
from billing.services.fee_lines import month_line, setup_line
from billing.services.offers import setup_is_due
from billing.usage import usage_by_day
from tenants.models import Meter, Tenant
from tenants.periods import Period

AVERAGE_DAYS = 7


@dataclass(frozen=True)
class Forecast:
    """Lines so far, before tax, with their sum, and the sum to expect, in minor units."""

    currency: str
    lines: list[Line]
    total: int
    expected: int


def forecast(*, tenant: Tenant, now: datetime) -> Forecast | None:
    """Return what is to come; None where nothing is, as on a free plan.

    The lines are in the language that is active.
    """
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    subscription = active.select_related("tenant", "plan", "price__plan").first()
    if subscription is None:
        return None
    today = now.astimezone(UTC).date()
    month = month_of(today)
    terms = terms_of(subscription.price)
    days = usage_days(subscription, month)
    by_day = usage_by_day(subscription, days, list(terms.steps)) if days and terms.steps else {}
    used = _used(terms, by_day, month)
    capped = [subscription] if Meter.REQUESTS in terms.steps else []
    most = most_charged(subscriptions=capped, month=month).get(subscription.pk)
    by_meter = usage_lines(terms, days, used, most) if days else {}
    usage = [line for lines in by_meter.values() for line in lines]
    corrections = _corrections(subscription, usage, month, now)
    lines = [*_fee(subscription, month_of(month.end)), *usage, *corrections]
    if not lines and not terms.steps:
        return None
    more = 0
    if days:
        expected = _expected(terms, by_day, days, today)
        more = _price(terms, expected, most) - _price(terms, used, most)
    total = sum(line.amount for line in lines)
    return Forecast(subscription.price.currency, lines, total, total + more)


def _price(terms: Terms, used: Mapping[Meter, int], most: int | None) -> int:
    return sum(
        tiers.price(steps, charged(meter, used[meter], most))
        for meter, steps in terms.steps.items()
    )


def _used(terms: Terms, by_day: Mapping[date, Mapping[Meter, int]], of: Period) -> dict[Meter, int]:
    counted = [counts for day, counts in by_day.items() if of.start <= day < of.end]
    return {meter: sum(counts.get(meter, 0) for counts in counted) for meter in terms.steps}


def _expected(
    terms: Terms, by_day: Mapping[date, Mapping[Meter, int]], days: Period, today: date
) -> dict[Meter, int]:
    """Return what each meter is likely to come to by the month's end."""
    used = _used(terms, by_day, days)
    since = max(days.start, today - timedelta(days=AVERAGE_DAYS))
    full = (today - since).days
    if full <= 0:
        return used
    before = _used(terms, by_day, Period(days.start, today))
    lately = _used(terms, by_day, Period(since, today))
    left = (days.end - today).days
    return {
        meter: max(count, before[meter] + rounded(Decimal(lately[meter] * left) / full))
        for meter, count in used.items()
    }


def _corrections(
    subscription: Subscription, usage: Sequence[Line], month: Period, now: datetime
) -> list[Line]:
    """Return the lines of what the invoice of this usage could bear of earlier months."""
    tenant_id = subscription.tenant_id
    pending = corrections_pending(tenants=[subscription.tenant], since=month.start)
    if tenant_id not in pending:
        return []
    lines = corrections_lines(pending[tenant_id], now)
    today = now.astimezone(UTC).date()
    taken = corrections_take(
        pending[tenant_id],
        lines=lines,
        billed=usage,
        taxation=taxations_on(tenant_ids=[tenant_id], on=today, now=now)[tenant_id],
        currency=subscription.price.currency,
    )
    return [lines[each.revision.pk] for each in taken]


def _fee(subscription: Subscription, ahead: Period) -> list[Line]:
    """Return the fees of the month ahead, by the plan and the price that it will have."""
    change = _scheduled_change(subscription, ahead)
    if change is not None:
        price = change
        share: Share | None = Share(ahead.start, ahead.days, ahead.days, price.monthly_fee)
        owes_setup = setup_is_due(tenant=subscription.tenant, price=price)
    else:
        price = _price_ahead(subscription, ahead)
        share = fee_for_month(
            fee=price.monthly_fee,
            fee_from=subscription.fee_from,
            fee_until=subscription.fee_until,
            month=ahead,
        )
        is_first = share is not None and share.start == subscription.fee_from
        owes_setup = subscription.owes_setup and is_first
    lines = [month_line(price.plan, share)] if share and share.amount else []
    return [*lines, setup_line(price.plan, price)] if owes_setup else lines


def _scheduled_change(subscription: Subscription, ahead: Period) -> PriceVersion | None:
    change = (
        PlanChange.objects.filter(
            tenant=subscription.tenant_id,
            state=ChangeState.SCHEDULED,
            takes_effect_on__lte=ahead.start,
        )
        .select_related("price__plan")
        .first()
    )
    return change.price if change else None


def _price_ahead(subscription: Subscription, ahead: Period) -> PriceVersion:
    move = (
        PriceMove.objects.filter(
            subscription=subscription,
            state=ChangeState.SCHEDULED,
            takes_effect_on__lte=ahead.start,
        )
        .select_related("price__plan")
        .first()
    )
    return move.price if move else subscription.price
