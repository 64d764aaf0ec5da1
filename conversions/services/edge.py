"""Publish what the functions need to a DynamoDB table: whose key it is, how to make variants.

A row (EdgeItem) says what an item should be; its revision travels with it, so that a late write
never replaces a newer one. News bring changes within a second, and a sweep finds what news missed.
"""

import time
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F

from conversions import backend
from conversions.models import EdgeItem, Preset
from tenants.models import ApiKeyVersion, Tenant, VersionStatus

log = structlog.get_logger(__name__)


def key_publish(*, version: ApiKeyVersion, now: datetime) -> None:
    """Publish whose a key is; a revoked one is taken away. Raise BackendError."""
    if version.gateway_id:
        _publish(_key_of(version), _key_body(version), now)


def tenant_publish(*, tenant: Tenant, now: datetime) -> None:
    """Publish a tenant's presets, and its keys with the plan that they are on now."""
    _publish(f"tenant#{tenant.uuid}", _tenant_body(), now)
    for version in _versions().filter(api_key__tenant=tenant):
        key_publish(version=version, now=now)


def edge_tenants_changed(*, now: datetime) -> None:
    """Note for every tenant that the presets have changed; the sweep publishes it."""
    body = _tenant_body()
    for uuid in Tenant.objects.values_list("uuid", flat=True).iterator():
        _intend(f"tenant#{uuid}", body)


def edge_sweep(*, now: datetime, limit: int = 500) -> int:
    """Publish what is not there as it should be; return how many items were written."""
    _find_missing()
    waiting = EdgeItem.objects.filter(published_revision__lt=F("revision")).order_by("id")
    done = 0
    for item in waiting[:limit]:
        _write(item, now)
        done += 1
    return done


def edge_republish() -> None:
    """Have everything published again, as for a table that was made anew."""
    EdgeItem.objects.update(published_revision=0)


def _find_missing() -> None:
    """Note what nobody ever asked to be published: news that were lost with the broker."""
    known = set(EdgeItem.objects.values_list("key", flat=True))
    for version in _versions().filter(status=VersionStatus.ACTIVE):
        if version.gateway_id and _key_of(version) not in known:
            _intend(_key_of(version), _key_body(version))
    for uuid in Tenant.objects.values_list("uuid", flat=True):
        if f"tenant#{uuid}" not in known:
            _intend(f"tenant#{uuid}", _tenant_body())


def _versions() -> Any:
    return ApiKeyVersion.objects.select_related("api_key__tenant__usage_plan").exclude(
        gateway_id=""
    )


def _key_of(version: ApiKeyVersion) -> str:
    return f"key#{version.gateway_id}"


def _key_body(version: ApiKeyVersion) -> dict[str, Any] | None:
    if version.status not in {VersionStatus.ACTIVE, VersionStatus.RETIRING}:
        return None
    tenant = version.api_key.tenant
    return {
        "tenant": str(tenant.uuid),
        "tenant_name": tenant.name,
        "plan": tenant.usage_plan.code,
        "key_name": version.api_key.name,
    }


def _tenant_body() -> dict[str, Any]:
    presets = Preset.objects.filter(is_active=True).order_by("id")
    return {"presets": [preset.recipe().to_mapping() for preset in presets]}


def _publish(key: str, body: dict[str, Any] | None, now: datetime) -> None:
    item = _intend(key, body)
    if item.published_revision < item.revision:
        _write(item, now)


@transaction.atomic
def _intend(key: str, body: dict[str, Any] | None) -> EdgeItem:
    """Note what an item should be. Revisions are milliseconds: they outlive this database."""
    revision = time.time_ns() // 1_000_000
    item, is_new = EdgeItem.objects.select_for_update().get_or_create(
        key=key, defaults={"body": body, "revision": revision}
    )
    if not is_new and item.body != body:
        item.body, item.revision = body, max(item.revision + 1, revision)
        item.save(update_fields=["body", "revision"])
    return item


def _write(item: EdgeItem, now: datetime) -> None:
    """Bring one item to the table, and note which revision that was."""
    if item.body is None:
        backend.edge_delete(key=item.key)
    else:
        backend.edge_put(key=item.key, body=item.body, revision=item.revision)
    EdgeItem.objects.filter(pk=item.pk, published_revision__lt=item.revision).update(
        published_revision=item.revision, published_at=now
    )
