"""Unusual usage: far more requests on a UTC day than in the last four weeks, told once a day.

Far more is more than three times the median of the same weekdays, more than on any of the days,
and LEAST at least. So a working week does not make Monday unusual, nor a monthly run its day. It
takes two weeks of history: before that nothing is usual.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from statistics import median

import structlog
from django.db.models import Exists, OuterRef, Sum

from tenants.alert_types import UNUSUAL
from tenants.ids import Ids
from tenants.models import Alert, Meter, Tenant, TenantState, UsageDay
from tenants.services.alerts import alert_raise

log = structlog.get_logger(__name__)

LEAST = 100  # requests a day: below that, three times as many mean nothing
TIMES = 3
LOOKED_AT = timedelta(weeks=4)
HISTORY = timedelta(weeks=2)


def usage_unusual(*, tenant_ids: Collection[int], now: datetime) -> int:
    """Tell the tenants among these whose day is unusual; return how many were told.

    Two queries for all of them, and a third where somebody has used much today.
    """
    told = 0
    today = now.astimezone(UTC).date()
    for tenant, used, expected in _unusual(tenant_ids, today):
        data = {"day": today.isoformat(), "used": used, "expected": expected}
        try:
            raised = alert_raise(tenant=tenant, kind=UNUSUAL, key=_key(today), data=data, now=now)
            told += raised is not None
        except Exception:
            log.exception("alert.not_raised", tenant=tenant.pk, kind=UNUSUAL)
    return told


def expected(days: Mapping[date, int], today: date) -> int | None:
    """Return what is usual on a day, by the days before it: the median of the same weekdays.

    None where there is too little history.
    """
    first = min((day for day, used in days.items() if used), default=today)
    if first > today - HISTORY:
        return None
    weekdays = [today - timedelta(weeks=weeks) for weeks in (1, 2, 3, 4)]
    return round(median(days.get(day, 0) for day in weekdays if day >= first))


def is_unusual(days: Mapping[date, int], today: date, used: int) -> bool:
    """Say whether a day's requests are far more than those of the days before it."""
    usual = expected(days, today)
    return (
        usual is not None and used >= LEAST and used > TIMES * usual and used > max(days.values())
    )


def _key(today: date) -> str:
    return f"{UNUSUAL}:{today}"


def _unusual(tenant_ids: Collection[int], today: date) -> Iterator[tuple[Tenant, int, int]]:
    """Yield whose day is unusual and who was not told so, with what was used and expected."""
    told = Alert.objects.filter(tenant=OuterRef("pk"), key=_key(today))
    tenants = Tenant.objects.filter(
        ~Exists(told), pk__in=Ids(tenant_ids), state=TenantState.ACTIVE
    ).in_bulk()
    requests = UsageDay.objects.filter(meter=Meter.REQUESTS).order_by()
    of_today = requests.filter(tenant__in=Ids(tenants), day=today).values_list("tenant")
    much = dict(of_today.annotate(total=Sum("used")).filter(total__gte=LEAST))
    before = requests.filter(tenant__in=Ids(much), day__gte=today - LOOKED_AT, day__lt=today)
    days: dict[int, dict[date, int]] = defaultdict(dict)
    for pk, day, total in before.values_list("tenant", "day").annotate(total=Sum("used")):
        days[pk][day] = total
    for pk, used in much.items():
        usual = expected(days[pk], today)
        if usual is not None and is_unusual(days[pk], today, used):
            yield tenants[pk], used, usual
