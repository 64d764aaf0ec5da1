"""What the rules of docs/billing.md come to, reckoned anew: shares of fees, tiers, whose a day is.

Nothing here calls billing's own arithmetic. It takes who held which plan when, and what was used,
and says what has to be billed of that by a day, before tax and in minor units.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

ENDLESS = date.max
DAY = timedelta(days=1)
Months = dict[tuple[int, date], tuple[int, int]]
Tier = tuple[int | None, Decimal]


@dataclass(frozen=True)
class Held:
    """A plan at a price, held from a day up to, and without, another (UTC).

    `tiers` are (up to, for each), `is_followed_by_schedule` says that what ended it came at the end
    of a month or a trial, and was not paid at Checkout.
    """

    pk: int
    plan: str
    fee: int
    setup: int
    trial_days: int
    tiers: Sequence[Tier]
    starts: date
    ends: date
    trial_ends: date | None
    is_followed_by_schedule: bool

    @property
    def charged_from(self) -> date:
        return max(self.starts, self.trial_ends or self.starts)


@dataclass(frozen=True)
class Cap:
    """What a spending cap allows of a month from a day on; None: all. One that was carried over
    stood from the subscription's first request on.
    """

    day: date
    requests: int | None
    was_carried_over: bool


def share(fee: int, day: date) -> int:
    """Return the fee of the days left in a month, `day` included, rounded half up."""
    start = day.replace(day=1)
    end = next_month(start)
    days, of = (end - day).days, (end - start).days
    return (2 * fee * days + of) // (2 * of)


def fees(held: Sequence[Held], today: date) -> int:
    """Return what is to be billed in fees by a day, setup fees included."""
    total, set_up = 0, set()
    covered_month, covered = date.min, 0  # by which fee the rest of a month is paid
    by_schedule = True
    for each in held:
        begins = each.charged_from
        is_trial_before = begins > each.starts
        if begins <= min(today, each.ends) and (
            begins < each.ends or not each.is_followed_by_schedule
        ):
            month, first = begins.replace(day=1), share(each.fee, begins)
            before = 0 if by_schedule or is_trial_before or covered_month != month else covered
            total += first - min(first, share(before, begins))
            covered_month, covered = month, max(before, each.fee)
            if each.plan not in set_up:
                set_up.add(each.plan)
                total += each.setup
            # On the 1st the month's run bills whoever held the plan before.
            until = each.ends if each.is_followed_by_schedule else min(each.ends, today) + DAY
            for later in months(next_month(month), min(until, today + DAY)):
                total += each.fee
                covered_month, covered = later, each.fee
        by_schedule = each.is_followed_by_schedule
    return total


def usage(
    held: Sequence[Held],
    used: Mapping[tuple[str, date], int],
    today: date,
    caps: Mapping[int, Sequence[Cap]],
) -> Months:
    """Return the requests of the months over before `today` and their price, by who is billed and
    the month's first day. `used` is by the plan under which they were counted, and the day, `caps`
    by who is billed. All are counted, those beyond a cap cost nothing.
    """
    owned = {(plan, day): _owner(held, plan, day) for plan, day in used}
    found: Months = {}
    for each in held:
        if not each.tiers or each.charged_from > each.ends:
            continue
        for month in months(each.charged_from.replace(day=1), min(each.ends, today) + DAY):
            if next_month(month) >= today:
                continue
            by_day = {
                (plan, day): requests
                for (plan, day), requests in used.items()
                if owned[plan, day] == each
                and max(month, each.charged_from) <= day < next_month(month)
            }
            count, most = sum(by_day.values()), _most(caps.get(each.pk, ()), month, by_day)
            paid = count if most is None else min(count, most)
            found[each.pk, month] = count, tiered(each.tiers, paid)
    return found


def _owner(held: Sequence[Held], plan: str, day: date) -> Held:
    that_day = [each for each in held if each.starts <= day <= each.ends]
    return ([each for each in that_day if each.plan == plan] or that_day)[-1]


def _most(caps: Sequence[Cap], month: date, used: Mapping[tuple[str, date], int]) -> int | None:
    """Return how many of a month are charged at most: what a cap allows, or what had been used up
    to the evening of its day and was not forgiven by the one before.
    """
    most = None
    for cap in caps:
        if cap.day >= next_month(month):
            break
        if cap.requests is None or cap.was_carried_over or cap.day < month:
            most = cap.requests
            continue
        passed = sum(requests for (_plan, day), requests in used.items() if day <= cap.day)
        most = max(cap.requests, passed if most is None else min(most, passed))
    return most


def tiered(tiers: Sequence[Tier], count: int) -> int:
    """Return what a month's count costs; each tier is rounded once, half up."""
    total, below = 0, 0
    for up_to, unit_amount in tiers:
        within = max(0, min(count, up_to if up_to is not None else count) - below)
        total += int((within * unit_amount).quantize(Decimal(1), ROUND_HALF_UP))
        below += within
    return total


def months(first: date, until: date) -> Iterator[date]:
    """Yield the first days of months, up to and without `until`."""
    while first < until:
        yield first
        first = next_month(first)


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
