"""Where the gateway is not what it last confirmed: somebody changed it there. Workers only.

The reconciler drives what is asked for, and believes its own notes of the rest. Here they are
compared with what is there. Where they are wrong they are mended, so that the reconciler does once
more what the rows ask for. All that was found is kept for operators (`GatewayDrift`).

What surprises: a listing is old once it is there. So what differs in it is only a suspicion, which
is looked into key by key, under a claim on the tenant (claims.py), before anything is done.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import QuerySet

from tenants import gateway
from tenants.models import (
    ApiKeyVersion,
    DriftKind,
    GatewayDrift,
    GatewayPlan,
    Tenant,
    VersionStatus,
)
from tenants.services.claims import ClaimLost, claim_release, claim_renew, claim_take
from tenants.services.key_switch import Renew, key_switch
from tenants.services.lease_lives import lease_close, lease_reopened
from tenants.services.lease_writes import lease_read
from tenants.services.mirrors import is_applied, is_as_noted, mirror_doubt
from tenants.services.reconciling import reconcile_request

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
KEPT = timedelta(days=90)  # what has ended, for operators to look at


def gateway_compare(*, clock: Clock) -> None:
    """Compare all plans and keys with our rows, note what differs, and have it put right.

    Raise GatewayError where the gateway cannot be read; what was found before that is noted.
    """
    began = clock()
    noted_at = dict(_mirrors().values_list("pk", "applied_at"))
    plans = {plan.id: plan for plan in gateway.usage_plans()}
    places: dict[str, GatewayPlan] = {}
    for mirror in _mirrors():
        plan = plans.get(mirror.gateway_id)
        if plan is None:
            _note(DriftKind.PLAN_GONE, mirror.gateway_id, clock(), mirror=mirror)
            continue
        if noted_at.get(mirror.pk) == mirror.applied_at and is_applied(mirror):
            _plan_compare(mirror, plan, clock())
        places |= dict.fromkeys(gateway.usage_plan_keys(plan_id=plan.id), mirror)
    keys = {key.id: key for key in gateway.api_keys(name=ApiKeyVersion.GATEWAY_PREFIX)}
    for tenant_id in _suspects(keys, places, plans.keys()):
        keys_compare(tenant_id=tenant_id, plans=plans.keys(), clock=clock)
    known = set(ApiKeyVersion.objects.values_list("gateway_id", flat=True))
    for key_id, mirror in places.items():
        if key_id not in known:
            _note(DriftKind.KEY_UNKNOWN, key_id, clock(), mirror=mirror)
    GatewayDrift.objects.filter(ended_at=None, seen_at__lt=began).update(ended_at=clock())
    GatewayDrift.objects.filter(ended_at__lt=began - KEPT).delete()


def keys_compare(*, tenant_id: int, plans: Collection[str] | None = None, clock: Clock) -> None:
    """Compare one tenant's keys with its rows, note what differs, and have it put right.

    `plans` are the ids of those that are there; None has them listed. Where another worker drives
    this tenant's keys nothing is done: the next comparison looks again. Raise GatewayError.
    """
    there = {plan.id for plan in gateway.usage_plans()} if plans is None else plans
    tenant = claim_take(tenant_id=tenant_id, now=clock())
    if tenant is None:
        return

    def renew() -> None:
        claim_renew(tenant=tenant, now=clock())

    try:
        for version in _versions().filter(api_key__tenant=tenant):
            _key_compare(version, tenant, there, clock, renew)
    except ClaimLost:
        log.info("drift.claim_lost", tenant=tenant_id)
    finally:
        claim_release(tenant=tenant, next_at=tenant.reconcile_at, error=tenant.reconcile_error)


def _mirrors() -> QuerySet[GatewayPlan]:
    mirrors = GatewayPlan.objects.exclude(gateway_id="").select_related("usage_plan")
    return mirrors.prefetch_related("usage_plan__method_limits")


def _versions() -> QuerySet[ApiKeyVersion]:
    """Return the versions that should be in the gateway."""
    made = ApiKeyVersion.objects.exclude(gateway_id="").select_related("api_key", "gateway_plan")
    return made.exclude(status__in=[VersionStatus.DELETED, VersionStatus.FAILED])


def _plan_compare(mirror: GatewayPlan, plan: gateway.PlanState, now: datetime) -> None:
    if not is_as_noted(mirror, plan):
        _note(DriftKind.PLAN_CHANGED, plan.id, now, mirror=mirror)
        mirror_doubt(mirror=mirror, plan=plan)


def _suspects(
    keys: dict[str, gateway.KeyState],
    places: dict[str, GatewayPlan],
    plans: Collection[str],
) -> list[int]:
    """Return the tenants that have a key which is not listed as their rows have it."""
    suspects = set()
    for version in _versions().iterator(chunk_size=2000):
        place = places.get(version.gateway_id)
        in_plans = {place.gateway_id} if place else set()
        if _kind(version, keys.get(version.gateway_id), in_plans, plans) is not None:
            suspects.add(version.api_key.tenant_id)
    return sorted(suspects)


def _kind(
    version: ApiKeyVersion,
    key: gateway.KeyState | None,
    in_plans: Collection[str],
    plans: Collection[str],
) -> DriftKind | None:
    """Say in what a key differs from its row, if it does.

    A key whose plan is not there, either, tells nothing: this may be another account. One that is
    revoked may be gone, or out of its plan.
    """
    plan_id = version.gateway_plan.gateway_id if version.gateway_plan else ""
    if version.is_living and plan_id in plans:
        if key is None:
            return DriftKind.KEY_GONE
        if plan_id not in in_plans:
            return DriftKind.KEY_MOVED
    if key is not None and version.is_enabled is not None and key.is_enabled != version.is_enabled:
        return DriftKind.KEY_ENABLED if key.is_enabled else DriftKind.KEY_DISABLED
    return None


def _key_compare(
    version: ApiKeyVersion, tenant: Tenant, plans: Collection[str], clock: Clock, renew: Renew
) -> None:
    """Look at one key itself, and do what its kind of difference asks for."""
    renew()
    key = gateway.api_key_read(key_id=version.gateway_id)
    in_plans = gateway.usage_plans_of(key_id=version.gateway_id) if key else []
    renew()
    version.refresh_from_db()
    kind = _kind(version, key, in_plans, plans)
    if kind is None:
        return
    _note(kind, version.gateway_id, clock(), version=version, mirror=version.gateway_plan)
    if kind is DriftKind.KEY_DISABLED:
        version.is_enabled = None
        version.save(update_fields=["is_enabled"])
    elif kind is DriftKind.KEY_ENABLED:
        key_switch(version, renew, is_enabled=False)
        renew()
        lease_reopened(version=version, now=clock())
    else:
        _key_unplace(version, clock, renew, is_there=key is not None)
    with transaction.atomic():
        reconcile_request(tenant=tenant, now=clock())


def _key_unplace(version: ApiKeyVersion, clock: Clock, renew: Renew, *, is_there: bool) -> None:
    """Have a key put into its plan, or made, anew, with what its tenant has left then."""
    if version.is_enabled is not False:
        key_switch(version, renew, is_enabled=False)
    renew()
    lease_close(version=version, now=clock())
    if version.gateway_plan is not None:  # it may tell more of a key that has left it
        lease_read(version=version, mirror=version.gateway_plan, now=clock())
    renew()
    version.gateway_plan = None
    if not is_there:
        version.gateway_id = ""
        # A revocation that came meanwhile wins.
        active = ApiKeyVersion.objects.filter(pk=version.pk, status=VersionStatus.ACTIVE)
        active.update(status=VersionStatus.PENDING)
    version.save(update_fields=["gateway_plan", "gateway_id"])


def _note(
    kind: DriftKind,
    gateway_id: str,
    now: datetime,
    *,
    mirror: GatewayPlan | None = None,
    version: ApiKeyVersion | None = None,
) -> None:
    """Note a difference as seen now; it is the same one until a comparison does not meet it."""
    _drift, is_new = GatewayDrift.objects.update_or_create(
        kind=kind,
        gateway_id=gateway_id,
        ended_at=None,
        defaults={"seen_at": now, "gateway_plan": mirror, "version": version},
        create_defaults={
            "seen_at": now, "found_at": now, "gateway_plan": mirror, "version": version,
        },
    )  # fmt: skip
    if is_new:
        log.warning("gateway.differs", kind=kind.value, gateway_id=gateway_id)
