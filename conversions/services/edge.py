"""Publish what the functions need to a DynamoDB table: whose key it is, how to make variants.

A row (EdgeItem) says what an item should be; its revision travels with it, so that a late write
never replaces a newer one. News bring changes within a second. The sweep compares what the rows
say with what they should, and so finds what news missed; `edge_verify` compares them with the table
itself, which may have been made anew, or have lost its last minutes.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet

from conversions import backend
from conversions.models import EdgeItem, Preset
from conversions.services.watermarks import watermarks_publish
from tenants import selectors as tenant_selectors
from tenants.models import ApiKeyVersion, Tenant, TenantState, VersionStatus

log = structlog.get_logger(__name__)
Body = dict[str, Any]
KNOWN = (VersionStatus.ACTIVE, VersionStatus.RETIRING)


def key_publish(*, version: ApiKeyVersion, now: datetime) -> None:
    """Publish whose a key is; a revoked one is taken away. Raise BackendError.

    A new key is often a new tenant's, whose first upload needs its presets: they go with it.
    """
    if version.gateway_id:
        _publish(_key_of(version), _key_body(version), now)
        _tenant_publish(version.api_key.tenant, now)


def tenant_publish(*, tenant: Tenant, now: datetime) -> None:
    """Publish a tenant's presets and quota, and its keys with the plan that they are on now."""
    _tenant_publish(tenant, now)
    for version in _versions().filter(api_key__tenant=tenant):
        _publish(_key_of(version), _key_body(version), now)


def edge_sweep(*, now: datetime, limit: int = 500) -> int:
    """Publish what is not there as it should be; return how many items were written.

    Raise BackendError where the table cannot be reached.
    """
    for number, (key, body) in enumerate(_differences(now), start=1):
        _intend(key, body)
        if number == limit:
            break
    waiting = EdgeItem.objects.filter(published_revision__lt=F("revision")).order_by("id")[:limit]
    for item in waiting:
        _write(item, now)
    return len(waiting)


def edge_verify() -> int:
    """Compare the rows with the table; have what differs published again. Return how many differ.

    What the table has and no row knows, as of another database, is only logged: it does no harm,
    and were this database the wrong one, removing it would. Raise BackendError.
    """
    there = backend.edge_revisions()
    differing = 0
    rows = EdgeItem.objects.values_list("pk", "key", "body", "revision", "published_revision")
    for pk, key, body, revision, published in rows:
        found = there.pop(key, 0)
        if found == (0 if body is None else published):
            continue
        differing += 1
        # The table may be ahead, of a database that was restored: what is written must be newer.
        EdgeItem.objects.filter(pk=pk).update(
            published_revision=0, revision=max(revision, found + 1)
        )
    if there:
        log.warning("edge.unknown_items", count=len(there))
    return differing


def _differences(now: datetime) -> Iterator[tuple[str, Body | None]]:
    """Find the items that the rows do not say as they should be, with what they should be."""
    said: dict[str, Body | None] = dict(
        EdgeItem.objects.filter(body__isnull=False).values_list("key", "body")
    )
    keys = _versions().filter(status__in=KNOWN)
    bodies: Iterable[tuple[str, Body | None]] = chain(
        _tenant_bodies(Tenant.objects.exclude(state=TenantState.CLOSED), now),
        ((_key_of(version), _key_body(version)) for version in keys),
    )
    for key, body in bodies:
        if said.pop(key, None) != body:
            yield key, body
    for key in said:  # of keys that were revoked, and of tenants that are gone
        yield key, None


def _versions() -> QuerySet[ApiKeyVersion]:
    versions = ApiKeyVersion.objects.select_related("api_key__tenant__usage_plan")
    return versions.exclude(gateway_id="").exclude(status=VersionStatus.DELETED)


def _key_of(version: ApiKeyVersion) -> str:
    return f"key#{version.gateway_id}"


def _key_body(version: ApiKeyVersion) -> Body | None:
    if version.status not in KNOWN:
        return None
    tenant = version.api_key.tenant
    return {
        "tenant": str(tenant.uuid),
        "tenant_name": tenant.name,
        "plan": tenant.usage_plan.code,
        "key_name": version.api_key.name,
    }


def _tenant_key(uuid: object) -> str:
    return f"tenant#{uuid}"


def _tenant_publish(tenant: Tenant, now: datetime) -> None:
    """Publish a tenant, or that it is gone."""
    if tenant.state == TenantState.CLOSED:
        _publish(_tenant_key(tenant.uuid), None, now)
        return
    for key, body in _tenant_bodies(Tenant.objects.filter(pk=tenant.pk), now):
        _publish(key, body, now)


def _tenant_bodies(tenants: QuerySet[Tenant], now: datetime) -> Iterator[tuple[str, Body]]:
    """Say what the functions should know of each tenant, in a handful of queries for all."""
    found = tenants.select_related("usage_plan")
    presets = _presets(now)
    quotas = tenant_selectors.quotas(tenants=found, now=now)
    keys: dict[int, list[str]] = defaultdict(list)
    # Keys that are gone count, too: what they used in this period is used.
    versions = _versions().filter(api_key__tenant__in=found)
    for tenant_id, gateway_id in versions.values_list("api_key__tenant_id", "gateway_id"):
        keys[tenant_id].append(gateway_id)
    for tenant in found:
        quota = quotas[tenant.pk]
        yield (
            _tenant_key(tenant.uuid),
            {
                "presets": presets,
                "limit": quota.limit,
                "period_start": quota.period_start.isoformat(),
                "period_end": quota.period_end.isoformat(),
                "keys": sorted(keys[tenant.pk]),
            },
        )


def _presets(now: datetime) -> list[dict[str, Any]]:
    """Return the active presets, each with its watermark where the functions read it.

    One whose watermark was replaced a moment ago waits for the next run.
    """
    watermarks_publish(now=now)
    is_there = Q(watermark_key="") | Q(watermark_published_at__isnull=False)
    active = Preset.objects.filter(is_there, is_active=True).defer("watermark")
    return [preset.recipe().to_mapping() for preset in active.order_by("id")]


def _publish(key: str, body: Body | None, now: datetime) -> None:
    item = _intend(key, body)
    if item.published_revision < item.revision:
        _write(item, now)


@transaction.atomic
def _intend(key: str, body: Body | None) -> EdgeItem:
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
