"""How many requests are charged at most: what passes beyond a spending cap is not.

The gateway stops a key a little late; that overrun is forgiven. What was used before a cap was set,
or lowered, is owed still. It is told by the day: of that one day nothing is forgiven. A cap that
was carried over to a subscription from the one before stood from its first request on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, timedelta

from django.db.models import OuterRef, Q, Subquery

from billing.dues import usage_days
from billing.models import CapChange, Subscription
from billing.usage import usage_counted
from tenants.ids import Ids
from tenants.models import Meter
from tenants.periods import Period

_ByDay = Mapping[date, Mapping[int, int]]


def most_charged(*, subscriptions: Sequence[Subscription], month: Period) -> dict[int, int]:
    """Return the most requests of a month that are charged, by the subscription's id.

    Those that had no cap at its end are left out: all of theirs are charged. Queries: one, and a
    few for each day of the month on which some of them got a cap.
    """
    changes: dict[int, list[CapChange]] = defaultdict(list)
    for change in _changes(subscriptions, month):
        changes[change.subscription_id].append(change)
    used = _used_by_day(changes, subscriptions, month)
    found = {}
    for pk, of_subscription in changes.items():
        most = None
        for change in of_subscription:
            most = _after(change, most, used)
        if most is not None:
            found[pk] = most
    return found


def _changes(subscriptions: Sequence[Subscription], month: Period) -> Iterable[CapChange]:
    """Return what changed in the month, and what stood when it began, in order."""
    before = CapChange.objects.filter(
        subscription=OuterRef("subscription"), written_at__lt=month.opens_at
    ).order_by("-written_at", "-pk")
    return CapChange.objects.filter(
        Q(written_at__gte=month.opens_at) | Q(pk=Subquery(before.values("pk")[:1])),
        subscription__in=Ids(each.pk for each in subscriptions),
        written_at__lt=month.closes_at,
    ).order_by("written_at", "pk")


def _used_by_day(
    changes: Mapping[int, Sequence[CapChange]], subscriptions: Sequence[Subscription], month: Period
) -> _ByDay:
    """Return what was used up to the end of each day on which a cap was written, by the id."""
    capped: dict[date, set[int]] = defaultdict(set)
    for pk, of_subscription in changes.items():
        for change in of_subscription:
            if change.requests is not None and _day(change) >= month.start:
                capped[_day(change)].add(pk)
    found: dict[date, dict[int, int]] = {}
    for day, ids in capped.items():
        days = {
            each.pk: Period(held.start, day + timedelta(days=1))
            for each in subscriptions
            if each.pk in ids
            and (held := usage_days(each, month)) is not None
            and held.start <= day
        }
        having = [each for each in subscriptions if each.pk in days]
        read = usage_counted(days, having, [Meter.REQUESTS])
        found[day] = {pk: used.get(Meter.REQUESTS, 0) for pk, used in read.items()}
    return found


def _after(change: CapChange, most: int | None, used: _ByDay) -> int | None:
    """Return the most that is charged once a cap was changed; `most` is what it was before."""
    if change.requests is None or change.was_carried_over or _day(change) not in used:
        return change.requests
    passed = used[_day(change)].get(change.subscription_id, 0)
    return max(change.requests, passed if most is None else min(most, passed))


def _day(change: CapChange) -> date:
    return change.written_at.astimezone(UTC).date()
