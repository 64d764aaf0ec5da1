"""What ends by itself: the old value of a rotated key, and a key at its expiry, of which people
are told in time.

Whoever sets such an end asks for a run of the reconciler, which ends what has had its time before
it looks at anything else, so that nothing over is ever enabled, and is due again at the next end.
An old value does not end by itself before its key has one that works.
"""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet
from django.utils.formats import date_format
from django.utils.translation import override

from tenants.alert_types import KEY_EXPIRES
from tenants.expiry import TOLD_BEFORE, last_day, told_days
from tenants.models import ApiKey, ApiKeyVersion, Tenant, VersionStatus
from tenants.permissions import Act
from tenants.services.alerts import alert_raise
from tenants.services.api_keys import versions_revoke
from tenants.services.audit import audit_record
from tenants.services.mails import mail_members
from tenants.services.outbox import outbox_publish

log = structlog.get_logger(__name__)


def keys_end(*, tenant: Tenant, now: datetime) -> None:
    """End what of a tenant's keys has had its time.

    Safe to run late, twice, and beside somebody who ends the same by hand.
    """
    ends_at = next_end(tenant=tenant)
    if ends_at is None or ends_at > now:
        return
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


def next_end(*, tenant: Tenant) -> datetime | None:
    """Return when the next end comes, if any does; it is past for what waited for a new value."""
    living = ApiKey.objects.filter(tenant=tenant, revoked_at=None)
    ends = [
        living.aggregate(at=Min("expires_at"))["at"],
        _retiring(tenant).aggregate(at=Min("retires_at"))["at"],
    ]
    return min((end for end in ends if end is not None), default=None)


def _retiring(tenant: Tenant) -> QuerySet[ApiKeyVersion]:
    """Return a tenant's old values whose keys have one that works."""
    works = ApiKeyVersion.objects.filter(api_key=OuterRef("api_key"), status=VersionStatus.ACTIVE)
    return ApiKeyVersion.objects.filter(
        Exists(works), api_key__tenant=tenant, status=VersionStatus.RETIRING
    )


def keys_tell(*, now: datetime) -> int:
    """Mail to those who may change keys that one expires, 7 days and 1 day before, once each, with
    the news of it; return of how many keys.

    Safe to run late: a day that is over is left out. One tenant's failure stops no other's.
    """
    told = 0
    soon = ApiKey.objects.filter(
        revoked_at=None, expires_at__gt=now, expires_at__lte=now + timedelta(days=max(TOLD_BEFORE))
    )
    for key in soon.select_related("tenant").order_by("expires_at"):
        if told_days(key.expires_at, now) == key.told_days:
            continue
        try:
            told += _tell(key, now)
        except Exception:
            log.exception("key.not_told_of", api_key=key.pk)
    return told


@transaction.atomic
def _tell(key: ApiKey, now: datetime) -> bool:
    tenant = Tenant.objects.select_for_update().get(pk=key.tenant_id)
    key.refresh_from_db()
    days = told_days(key.expires_at, now)
    if key.revoked_at or key.expires_at is None or days in (None, key.told_days):
        return False
    key.told_days = days
    key.save(update_fields=["told_days"])
    outbox_publish(
        kind="key.expires",
        tenant=tenant,
        now=now,
        version=key.versions.latest("pk").pk,
        expires_at=key.expires_at.isoformat(),
    )
    told_of = f"key-expires:{key.pk}:{key.expires_at.isoformat()}:{days}"
    last = last_day(key.expires_at)
    alert_raise(
        tenant=tenant, kind=KEY_EXPIRES, key=told_of, now=now,
        data={"name": key.name, "last_day": last.isoformat()},
    )  # fmt: skip
    with override(tenant.language):
        day = date_format(last, "DATE_FORMAT")
    mail_members(
        tenant=tenant, act=Act.CHANGE_KEYS, kind="tenants.key_expires", key=told_of, now=now,
        context={"name": key.name, "day": day},
    )  # fmt: skip
    return True
