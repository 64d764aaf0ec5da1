"""API keys: create, rotate, revoke, reveal. The gateway follows on commit (reconcile.py)."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants import key_values
from tenants.errors import NotInThisState, Refused
from tenants.models import ApiKey, ApiKeyVersion, KeySlot, Tenant, User, VersionStatus
from tenants.services.audit import audit_record
from tenants.services.outbox import outbox_publish
from tenants.services.reconciling import reconcile_request

FIRST_KEY_NAME = "default"

LIVING = (VersionStatus.PENDING, VersionStatus.ACTIVE, VersionStatus.RETIRING)


def _version_create(*, api_key: ApiKey, now: datetime) -> ApiKeyVersion:
    """Write a PENDING version. It is primary where the tenant has no other primary version."""
    version_uuid = uuid.uuid4()
    value = key_values.derive(version_uuid, secret=settings.API_KEY_SECRET)
    has_primary = ApiKeyVersion.objects.filter(
        api_key__tenant_id=api_key.tenant_id, slot=KeySlot.PRIMARY, detached_at=None
    ).exclude(status__in=[VersionStatus.DELETED, VersionStatus.FAILED])
    return ApiKeyVersion.objects.create(
        uuid=version_uuid,
        api_key=api_key,
        slot=KeySlot.SECONDARY if has_primary.exists() else KeySlot.PRIMARY,
        value_digest=key_values.digest(value),
        last_four=value[-4:],
        created_at=now,
    )


def first_key_create(*, tenant: Tenant, actor: User | None, now: datetime) -> ApiKeyVersion:
    """Write a new tenant's first key. Part of `tenant_create`'s transaction."""
    api_key = ApiKey.objects.create(
        tenant=tenant, name=FIRST_KEY_NAME, created_by=actor, created_at=now
    )
    return _version_create(api_key=api_key, now=now)


@transaction.atomic
def api_key_create(
    *, tenant: Tenant, name: str, actor: User | None, now: datetime
) -> ApiKeyVersion:
    """Create a key and its first version, PENDING.

    Raise Refused for a bad or taken name, and where the plan's number of keys is reached. A tenant
    who had more before a change of plan keeps them.
    """
    tenant = (
        Tenant.objects.select_for_update(of=("self",))
        .select_related("usage_plan")
        .get(pk=tenant.pk)
    )
    name = " ".join(name.split())
    if not name or len(name) > 60:
        raise Refused(_("Give the key a name of 1 to 60 characters."))
    living = ApiKey.objects.filter(tenant=tenant, revoked_at=None)
    if living.filter(name=name).exists():
        raise Refused(_("You already have a key named “%(name)s”.") % {"name": name})
    most = tenant.usage_plan.most_keys
    if living.count() >= most:
        raise Refused(
            ngettext(
                "Your plan has %(count)d key: revoke it first, or change to a plan with more.",
                "Your plan has %(count)d keys: revoke one first, or change to a plan with more.",
                most,
            )
            % {"count": most}
        )
    api_key = ApiKey.objects.create(tenant=tenant, name=name, created_by=actor, created_at=now)
    version = _version_create(api_key=api_key, now=now)
    audit_record(action="api_key.created", tenant=tenant, actor=actor, now=now, target=name)
    reconcile_request(tenant=tenant, now=now)
    return version


@transaction.atomic
def api_key_rotate(*, api_key: ApiKey, actor: User | None, now: datetime) -> ApiKeyVersion:
    """Give a key a new value; the old one stops at once. Raise NotInThisState if it is revoked."""
    tenant = Tenant.objects.select_for_update().get(pk=api_key.tenant_id)
    api_key.refresh_from_db()
    if api_key.revoked_at is not None:
        raise NotInThisState(_("This key has been revoked."))
    _versions_revoke(api_key=api_key, tenant=tenant, now=now)
    version = _version_create(api_key=api_key, now=now)
    audit_record(action="api_key.rotated", tenant=tenant, actor=actor, now=now, target=api_key.name)
    reconcile_request(tenant=tenant, now=now)
    return version


@transaction.atomic
def api_key_revoke(*, api_key: ApiKey, actor: User | None, now: datetime) -> None:
    """Revoke a key for good; again does nothing."""
    tenant = Tenant.objects.select_for_update().get(pk=api_key.tenant_id)
    api_key.refresh_from_db()
    if api_key.revoked_at is not None:
        return
    api_key.revoked_at = now
    api_key.save(update_fields=["revoked_at"])
    _versions_revoke(api_key=api_key, tenant=tenant, now=now)
    audit_record(action="api_key.revoked", tenant=tenant, actor=actor, now=now, target=api_key.name)
    reconcile_request(tenant=tenant, now=now)


def _versions_revoke(*, api_key: ApiKey, tenant: Tenant, now: datetime) -> None:
    for version in api_key.versions.filter(status__in=[*LIVING, VersionStatus.FAILED]):
        version.status = VersionStatus.REVOKED
        version.revoked_at = now
        version.save(update_fields=["status", "revoked_at"])
        outbox_publish(kind="key.revoked", tenant=tenant, now=now, version=version.pk)


@transaction.atomic
def api_key_value_reveal(*, version: ApiKeyVersion, now: datetime) -> str | None:
    """Return the value of a living version, once; None ever after.

    It may be shown before the key works: the value does not depend on the gateway.
    """
    locked = ApiKeyVersion.objects.select_for_update().get(pk=version.pk)
    if locked.revealed_at is not None or not locked.is_living:
        return None
    locked.revealed_at = now
    locked.save(update_fields=["revealed_at"])
    return key_values.derive(locked.uuid, secret=settings.API_KEY_SECRET)
