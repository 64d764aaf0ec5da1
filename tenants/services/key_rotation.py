"""A key's new values. The old one works on for a while, so that nobody has to hurry.

Both are versions of one key, and share the tenant's quota (docs/quota.md). The old one retires by
itself (key_ends.py).
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.errors import Refused
from tenants.models import ApiKey, ApiKeyVersion, User, VersionStatus
from tenants.services.api_keys import key_lock, version_create, versions_revoke
from tenants.services.audit import audit_record
from tenants.services.reconciling import STOP, reconcile_request
from tenants.services.webhook_events import webhook_tell

MOST_OVERLAP = timedelta(days=90)


@transaction.atomic
def api_key_rotate(
    *, api_key: ApiKey, overlap: timedelta, actor: User | None, now: datetime
) -> ApiKeyVersion:
    """Give a key a new value; the old one works for `overlap` more.

    Only one old value does: the newest that the gateway lets pass. Whatever else the key has,
    and without an overlap all, ends at once. Raise NotInThisState if the key is revoked, Refused
    for an overlap of more than 90 days.
    """
    tenant = key_lock(api_key)
    if not timedelta(0) <= overlap <= MOST_OVERLAP:
        raise Refused(
            _("An old value can work for %(days)d more days at most.") % {"days": MOST_OVERLAP.days}
        )
    version = version_create(api_key=api_key, now=now)
    olds = list(api_key.versions.exclude(pk=version.pk).order_by("-id"))
    in_use = [old for old in olds if old.status == VersionStatus.ACTIVE]
    in_use += [old for old in olds if old.status == VersionStatus.RETIRING]
    if overlap and in_use:
        kept = in_use[0]
        kept.status = VersionStatus.RETIRING
        kept.retires_at = now + overlap
        kept.save(update_fields=["status", "retires_at"])
        olds.remove(kept)
    versions_revoke(versions=olds, tenant=tenant, now=now)
    audit_record(
        action="api_key.rotated",
        tenant=tenant,
        actor=actor,
        now=now,
        target=api_key.name,
        overlap_seconds=int(overlap.total_seconds()),
    )
    webhook_tell(kind="key.rotated", about=[(tenant, {"version": version.pk})], now=now)
    reconcile_request(tenant=tenant, now=now, lane=STOP)
    return version


@transaction.atomic
def api_key_overlap_end(*, api_key: ApiKey, actor: User | None, now: datetime) -> None:
    """Have a rotated key's old value end at once; again does nothing."""
    tenant = key_lock(api_key)
    retiring = list(api_key.versions.filter(status=VersionStatus.RETIRING))
    if not retiring:
        return
    versions_revoke(versions=retiring, tenant=tenant, now=now)
    audit_record(
        action="api_key.overlap_ended", tenant=tenant, actor=actor, now=now, target=api_key.name
    )
    reconcile_request(tenant=tenant, now=now, lane=STOP)
