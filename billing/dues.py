"""What a subscription owes for a month's usage: pure rules, no database. Days are UTC.

Each subscription of a month is billed by itself: for the days that it was held, by its own tiers,
which begin anew. Nothing of the days before `trial_ends_on` is billed. The day of a change is
shared: a request is of the subscription under whose usage plan it was counted, all else of the new
one. Fees are in proration.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import tiers
from billing.lines import Line
from billing.models import LineGroup, Plan, PriceVersion, Subscription
from billing.tiers import Tier
from billing.usage_prices import priced
from tenants.models import Meter
from tenants.periods import Period


@dataclass(frozen=True)
class Terms:
    """A price version with its plan and the steps by which usage is billed, read once for all."""

    plan: Plan
    price: PriceVersion
    steps: Mapping[Meter, Sequence[Tier]]


def terms_of(price: PriceVersion) -> Terms:
    """Return a price's terms. Needs its `plan` and its `tiers`."""
    return Terms(price.plan, price, priced(price.plan, price))


def month_of(day: date) -> Period:
    """Return the calendar month of a day."""
    start = day.replace(day=1)
    return Period(start, (start + timedelta(days=31)).replace(day=1))


def month_before(month: Period) -> Period:
    return month_of(month.start - timedelta(days=1))


def usage_days(subscription: Subscription, month: Period) -> Period | None:
    """Return the days of a month whose usage a subscription is billed for; None without any.

    The day on which it ended is one of them: `usage_owner` says what of it.
    """
    if subscription.starts_on is None:
        return None
    start = max(month.start, subscription.starts_on, subscription.trial_ends_on or date.min)
    end = month.end
    if subscription.ends_on is not None:
        end = min(end, subscription.ends_on + timedelta(days=1))
    return Period(start, end) if start < end else None


def usage_owner(
    day: date, usage_plan_id: int | None, subscriptions: Sequence[Subscription]
) -> Subscription:
    """Return whose a day's usage under a usage plan is, of a tenant's subscriptions by their start.

    Of two under one usage plan, as where the price moved, it is the later; so is what was counted
    under none of them, and what the gateway does not count. Needs their `plan`.
    """
    that_day = [
        subscription
        for subscription in subscriptions
        if subscription.starts_on is not None
        and subscription.starts_on <= day <= (subscription.ends_on or date.max)
    ]
    under = [each for each in that_day if each.plan.usage_plan_id == usage_plan_id]
    return (under or that_day)[-1]


def charged(meter: Meter, used: int, most: int | None) -> int:
    """Return how many are charged of what was used: no more requests than `most` (capped.py)."""
    return used if most is None or meter != Meter.REQUESTS else min(used, most)


def usage_lines(
    terms: Terms, days: Period, used: Mapping[Meter, int], most: int | None
) -> dict[Meter, list[Line]]:
    """Return the lines of each meter that is priced, one per tier, in the language that is active.

    They are rounded each, and a meter's price is their sum. What was used beyond `most` requests
    (None: there is no cap) is a line that costs nothing.
    """
    lines = {}
    for meter, steps in terms.steps.items():
        count = used.get(meter, 0)
        paid = charged(meter, count, most)
        lines[meter] = [_usage_line(meter, line, days) for line in tiers.lines(steps, paid)]
        if count > paid:
            lines[meter].append(_forgiven_line(count - paid))
    return lines


def _forgiven_line(count: int) -> Line:
    description = _("%(count)s requests beyond your spending cap, not charged") % {
        "count": f"{count:,}"
    }
    return Line(description, count, Decimal(0), 0, LineGroup.USAGE)


def _usage_line(meter: Meter, line: tiers.TierLine, days: Period) -> Line:
    text = {
        Meter.REQUESTS: gettext_noop("Requests %(first)s to %(last)s, %(month)s"),
        Meter.CONVERSIONS: gettext_noop("Conversions %(first)s to %(last)s, %(month)s"),
    }[meter]
    description = _(text) % {
        "first": f"{line.first:,}",
        "last": f"{line.last:,}",
        "month": days_text(days),
    }
    return Line(description, line.quantity, line.unit_amount, line.amount, LineGroup.USAGE)


@lru_cache(maxsize=64)  # a close asks once a line
def days_text(days: Period) -> str:
    """Write days of one month: 2026-11 where they are all of it."""
    if days == month_of(days.start):
        return days.start.isoformat()[:7]
    return f"{days.start} – {days.end - timedelta(days=1)}"
