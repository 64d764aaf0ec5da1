"""API keys: create, change, revoke, reveal. The gateway follows on commit (reconcile.py).

New values are in key_rotation.py, what ends by itself in key_ends.py.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants import key_values
from tenants.errors import Invalid, NotInThisState, Refused
from tenants.expiry import told_days
from tenants.models import ApiKey, ApiKeyVersion, KeySlot, Tenant, User, VersionStatus
from tenants.names import tidied
from tenants.services.audit import audit_record
from tenants.services.leaving import tenant_open_check
from tenants.services.outbox import outbox_publish
from tenants.services.reconciling import STOP, reconcile_request
from tenants.services.webhook_events import webhook_tell

FIRST_KEY_NAME = "default"
# A version stays in the gateway for 90 days after it ended, and an account has 10,000 keys at most.
# So within 24 hours a tenant may make so many values for each key of its plan, and some besides.
MOST_NEW_VALUES, BESIDES = 2, 10

LIVING = (VersionStatus.PENDING, VersionStatus.ACTIVE, VersionStatus.RETIRING)


def version_create(*, api_key: ApiKey, now: datetime) -> ApiKeyVersion:
    """Write a PENDING version. It is primary where the tenant has no other primary version.

    Raise Refused where the tenant made very many of late, or is being deleted.
    """
    tenant_open_check(tenant=api_key.tenant)
    of_tenant = ApiKeyVersion.objects.filter(api_key__tenant_id=api_key.tenant_id)
    most = MOST_NEW_VALUES * api_key.tenant.usage_plan.most_keys + BESIDES
    if of_tenant.filter(created_at__gt=now - timedelta(hours=24)).count() >= most:
        raise Refused(
            _("You made %(count)d keys and new values within 24 hours; please wait a day.")
            % {"count": most}
        )
    version_uuid = uuid.uuid4()
    value = key_values.derive(version_uuid, secret=settings.API_KEY_SECRET)
    has_primary = of_tenant.filter(slot=KeySlot.PRIMARY, detached_at=None).exclude(
        status__in=[VersionStatus.DELETED, VersionStatus.FAILED]
    )
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
    return version_create(api_key=api_key, now=now)


@transaction.atomic
def api_key_create(
    *,
    tenant: Tenant,
    name: str,
    expires_at: datetime | None = None,
    actor: User | None,
    now: datetime,
) -> ApiKeyVersion:
    """Create a key and its first version, PENDING.

    Raise Invalid for a bad name or an expiry that is past, Refused for a taken name, and where the
    plan's number of keys is reached. A tenant who had more before a change of plan keeps them.
    """
    tenant = (
        Tenant.objects.select_for_update(of=("self",))
        .select_related("usage_plan")
        .get(pk=tenant.pk)
    )
    living = ApiKey.objects.filter(tenant=tenant, revoked_at=None)
    name = _name_free(name, others=living)
    _expiry_check(expires_at, now)
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
    api_key = ApiKey.objects.create(
        tenant=tenant,
        name=name,
        created_by=actor,
        created_at=now,
        expires_at=expires_at,
        told_days=told_days(expires_at, now),
    )
    version = version_create(api_key=api_key, now=now)
    audit_record(action="api_key.created", tenant=tenant, actor=actor, now=now, target=name)
    webhook_tell(kind="key.created", about=[(tenant, {"version": version.pk})], now=now)
    reconcile_request(tenant=tenant, now=now)
    return version


def _name_free(name: str, *, others: QuerySet[ApiKey]) -> str:
    """Return a key's name without spare blanks. Raise Invalid if it is bad, Refused if another
    key has it.
    """
    name = tidied(name)
    if not name or len(name) > 60:
        raise Invalid(_("Give the key a name of 1 to 60 characters."), field="name")
    if others.filter(name=name).exists():
        raise Refused(_("You already have a key named “%(name)s”.") % {"name": name})
    return name


@transaction.atomic
def api_key_update(
    *,
    api_key: ApiKey,
    name: str,
    expires_at: datetime | None,
    actor: User | None,
    now: datetime,
) -> None:
    """Change a key's name, and when it expires (None: never); what is so already is left as it is.

    Functions at the edge, which know the name, follow by the outbox. Raise Invalid for a bad
    name or an expiry that is past, Refused for a taken name, NotInThisState if the key is revoked.
    """
    tenant = key_lock(api_key)
    living = ApiKey.objects.filter(tenant=tenant, revoked_at=None)
    name = _name_free(name, others=living.exclude(pk=api_key.pk))
    if (name, expires_at) == (api_key.name, api_key.expires_at):
        return
    if expires_at != api_key.expires_at:
        _expiry_check(expires_at, now)
    previous = {"name": api_key.name, "expires_at": _iso(api_key.expires_at)}
    api_key.name, api_key.expires_at = name, expires_at
    api_key.told_days = told_days(expires_at, now)  # whoever sets it knows
    api_key.save(update_fields=["name", "expires_at", "told_days"])
    audit_record(
        action="api_key.updated",
        tenant=tenant,
        actor=actor,
        now=now,
        target=name,
        previous=previous,
        expires_at=_iso(expires_at),
    )
    for version in api_key.versions.filter(status__in=LIVING):
        outbox_publish(kind="key.updated", tenant=tenant, now=now, version=version.pk)
    reconcile_request(tenant=tenant, now=now)


def _expiry_check(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        text = _("The key would have expired already: choose a later day.")
        raise Invalid(text, field="expires_at")


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


@transaction.atomic
def api_key_retry(*, api_key: ApiKey, actor: User | None, now: datetime) -> None:
    """Have the gateway asked again for a key's newest value, if refused; again does nothing."""
    tenant = key_lock(api_key)
    # Another version may have become primary since. This one is promoted where that place is free.
    newest = api_key.versions.latest("pk")
    failed = ApiKeyVersion.objects.filter(pk=newest.pk, status=VersionStatus.FAILED)
    if failed.update(status=VersionStatus.PENDING, slot=KeySlot.SECONDARY, error=""):
        audit_record(
            action="api_key.retried", tenant=tenant, actor=actor, now=now, target=api_key.name
        )
        reconcile_request(tenant=tenant, now=now)


@transaction.atomic
def api_key_revoke(*, api_key: ApiKey, actor: User | None, now: datetime) -> None:
    """Revoke a key for good; again does nothing."""
    tenant = Tenant.objects.select_for_update().get(pk=api_key.tenant_id)
    api_key.refresh_from_db()
    if api_key.revoked_at is not None:
        return
    api_key.revoked_at = now
    api_key.save(update_fields=["revoked_at"])
    versions_revoke(versions=api_key.versions.all(), tenant=tenant, now=now)
    audit_record(action="api_key.revoked", tenant=tenant, actor=actor, now=now, target=api_key.name)
    reconcile_request(tenant=tenant, now=now, lane=STOP)


def key_lock(api_key: ApiKey) -> Tenant:
    """Lock a key's tenant and read the key afresh. Raise NotInThisState if it is revoked."""
    tenant = Tenant.objects.select_for_update().get(pk=api_key.tenant_id)
    api_key.refresh_from_db()
    if api_key.revoked_at is not None:
        raise NotInThisState(_("This key has been revoked."))
    return tenant


def versions_revoke(*, versions: Iterable[ApiKeyVersion], tenant: Tenant, now: datetime) -> None:
    """Revoke those of a locked tenant's versions that have not ended, with the news of it."""
    for version in versions:
        if version.status not in (*LIVING, VersionStatus.FAILED):
            continue
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
