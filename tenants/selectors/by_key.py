"""What each of a tenant's keys has used, day by day. Days are UTC."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from django.db.models import Sum

from tenants.ids import Ids
from tenants.models import ApiKey, Meter, Tenant, UsageDay


@dataclass(frozen=True)
class KeyUsage:
    """A key's requests by day, all its versions together; days without any are left out."""

    api_key: ApiKey
    by_day: dict[date, int]

    @property
    def total(self) -> int:
        return sum(self.by_day.values())


def usage_by_key(
    *, tenant: Tenant, start: date, end: date, api_key: ApiKey | None = None
) -> list[KeyUsage]:
    """Return each key that was used from `start` to `end`, both included, the most used first.

    Revoked keys are among them. Together they are what the tenant has used on these days.
    """
    rows = UsageDay.objects.filter(
        tenant=tenant, meter=Meter.REQUESTS, day__gte=start, day__lte=end, used__gt=0
    )
    if api_key is not None:
        rows = rows.filter(version__api_key=api_key)
    by_key: dict[int, dict[date, int]] = defaultdict(dict)
    sums = rows.order_by().values_list("version__api_key", "day").annotate(total=Sum("used"))
    for key, day, total in sums:
        by_key[key][day] = total
    keys = ApiKey.objects.filter(tenant=tenant, pk__in=Ids(by_key))
    found = [KeyUsage(key, by_key[key.pk]) for key in keys]
    return sorted(found, key=lambda each: -each.total)
