"""What ends by itself: the old value of a rotated key, and a key at its expiry.

Whoever sets such an end asks for a run of the reconciler, which ends what has had its time before
it looks at anything else, so that nothing over is ever enabled, and is due again at the next end.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Min, QuerySet

from tenants.models import ApiKey, ApiKeyVersion, Tenant, VersionStatus
from tenants.services.api_keys import versions_revoke
from tenants.services.audit import audit_record


def keys_end(*, tenant: Tenant, now: datetime) -> datetime | None:
    """End what of a tenant's keys has had its time; return when the next end comes, if any does.

    Safe to run late, twice, and beside somebody who ends the same by hand.
    """
    ends_at = _next_end(tenant)
    if ends_at is None or ends_at > now:
        return ends_at
    with transaction.atomic():
        locked = Tenant.objects.select_for_update().get(pk=tenant.pk)
        for key in ApiKey.objects.filter(tenant=locked, revoked_at=None, expires_at__lte=now):
            key.revoked_at = now
            key.save(update_fields=["revoked_at"])
            versions_revoke(versions=key.versions.all(), tenant=locked, now=now)
            audit_record(action="api_key.expired", tenant=locked, now=now, target=key.name)
        for version in _retiring(locked).filter(retires_at__lte=now).select_related("api_key"):
            versions_revoke(versions=[version], tenant=locked, now=now)
            audit_record(
                action="api_key.overlap_ended",
                tenant=locked,
                now=now,
                target=version.api_key.name,
            )
    return _next_end(tenant)


def _next_end(tenant: Tenant) -> datetime | None:
    living = ApiKey.objects.filter(tenant=tenant, revoked_at=None)
    ends = [
        living.aggregate(at=Min("expires_at"))["at"],
        _retiring(tenant).aggregate(at=Min("retires_at"))["at"],
    ]
    return min((end for end in ends if end is not None), default=None)


def _retiring(tenant: Tenant) -> QuerySet[ApiKeyVersion]:
    return ApiKeyVersion.objects.filter(api_key__tenant=tenant, status=VersionStatus.RETIRING)
