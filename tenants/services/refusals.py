"""Keys that are refused over the quota while another key of the tenant has some left.

The live meter tells of it in seconds, GetUsage is read every few minutes: without this a key in use
would be refused until then, although what it needs is there (docs/quota.md).
"""

from datetime import UTC, datetime, timedelta

from django.db.models import Exists, F, Max, OuterRef

from tenants.models import Entitlement, Lease, LiveMinute, Tenant

OF_LATE = timedelta(minutes=5)


def tenants_refused(*, now: datetime) -> list[Tenant]:
    """Return the tenants of whom a key is refused while another holds what it was not seen to use.

    Each key counts once a minute at most: refusals of a minute that had begun when its usage was
    last read have been answered.
    """
    minutes = LiveMinute.objects.filter(minute__gte=now - OF_LATE, quota_refused__gt=0)
    refused = dict(minutes.order_by().values_list("version").annotate(newest=Max("minute")))
    today = now.astimezone(UTC).date()
    current = Entitlement.objects.filter(period_start__lte=today, period_end__gt=today)
    open_ = Lease.objects.filter(entitlement__in=current, closed_at=None)
    spare = open_.filter(
        entitlement=OuterRef("entitlement"), seen_used__lt=F("limit_requests")
    ).exclude(pk=OuterRef("pk"))
    leases = open_.filter(Exists(spare), version__in=refused).select_related("entitlement__tenant")
    found = {
        lease.entitlement.tenant
        for lease in leases
        if lease.seen_at is None or lease.seen_at < refused[lease.version_id]
    }
    return sorted(found, key=lambda tenant: tenant.pk)
