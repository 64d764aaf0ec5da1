"""A tenant's API keys and their versions."""

from collections.abc import Iterable, Mapping
from datetime import date

from django.db.models import Max, QuerySet

from tenants.ids import Ids
from tenants.models import ApiKey, ApiKeyVersion, Meter, Tenant, UsageDay, VersionStatus


def api_keys(*, tenant: Tenant) -> QuerySet[ApiKey]:
    """Return a tenant's keys that are not revoked, with all their versions, oldest first."""
    living = ApiKey.objects.filter(tenant=tenant, revoked_at=None)
    return living.select_related("created_by").prefetch_related("versions")


def newest_version(*, api_key: ApiKey) -> ApiKeyVersion:
    """Return the version that a key stands for: the last one made."""
    return max(api_key.versions.all(), key=lambda version: version.pk)


def version_in_use(*, gateway_id: str) -> ApiKeyVersion | None:
    """Return the version with this id in the gateway, unless it is revoked or was never active."""
    versions = ApiKeyVersion.objects.select_related("api_key__tenant__usage_plan")
    in_use = versions.filter(status__in=[VersionStatus.ACTIVE, VersionStatus.RETIRING])
    return in_use.filter(gateway_id=gateway_id).first() if gateway_id else None


def tenants_of_versions(*, versions: Iterable[int]) -> list[int]:
    """Return the ids of the tenants whose key versions these are."""
    found = ApiKeyVersion.objects.filter(pk__in=Ids(versions)).order_by()
    return sorted(set(found.values_list("api_key__tenant", flat=True)))


def version_unrevealed(*, tenant: Tenant) -> ApiKeyVersion | None:
    """Return the oldest living version whose value nobody has been shown yet."""
    return (
        ApiKeyVersion.objects.filter(
            api_key__tenant=tenant,
            api_key__revoked_at=None,
            revealed_at=None,
            status__in=[VersionStatus.PENDING, VersionStatus.ACTIVE],
        )
        .select_related("api_key")
        .order_by("id")
        .first()
    )


def retiring_version(*, api_key: ApiKey) -> ApiKeyVersion | None:
    """Return the version that works on after a rotation, if one does."""
    retiring = (each for each in api_key.versions.all() if each.status == VersionStatus.RETIRING)
    return next(retiring, None)


def last_used(*, tenant: Tenant) -> dict[int, date]:
    """Return the last UTC day on which each version was used, by the version's id."""
    used = UsageDay.objects.filter(tenant=tenant, meter=Meter.REQUESTS, used__gt=0)
    return dict(used.order_by().values_list("version").annotate(last=Max("day")))


def key_last_used(*, api_key: ApiKey, last_used: Mapping[int, date]) -> date | None:
    """Return the last UTC day on which any of a key's versions was used, given each one's."""
    days = (last_used.get(version.pk) for version in api_key.versions.all())
    return max((day for day in days if day), default=None)
