"""Entitlements, grants and caps: what a tenant may use in a period. Rules: docs/quota.md."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

import tenants.selectors
from tenants.entitlements import is_over_unlimited, plan_requests
from tenants.errors import NotInThisState, Refused
from tenants.models import (
    Entitlement,
    GrantKind,
    PlanSpan,
    QuotaGrant,
    Tenant,
)
from tenants.periods import period_of
from tenants.services.audit import audit_record
from tenants.services.outbox import outbox_publish
from tenants.services.reconciling import reconcile_request
from tenants.services.webhook_events import webhook_tell


def entitlement_ensure(*, tenant: Tenant, now: datetime, kind: str | None = None) -> Entitlement:
    """Return the tenant's entitlement for the current period, computed afresh from its spans.

    `kind` (a QuotaPeriod) is the plan's, or that of a plan which was left. Call it inside a
    transaction that has locked the tenant.
    """
    kind = kind or tenant.usage_plan.quota_period
    period = period_of(kind, now)
    held = PlanSpan.objects.filter(tenant=tenant, usage_plan__quota_period=kind)
    spans = list(held.select_related("usage_plan"))
    is_current = kind == tenant.usage_plan.quota_period
    plan = tenant.usage_plan if is_current else spans[-1].usage_plan
    by_use = tenants.selectors.paid_by_use(spans=filter(is_over_unlimited, spans), period=period)
    values = {
        "plan_requests": plan_requests(spans=spans, period=period, paid_by_use=by_use),
        "by_use_requests": by_use,
        "advance_requests": plan.advance_requests,
    }
    entitlement, is_new = Entitlement.objects.get_or_create(
        tenant=tenant,
        period_start=period.start,
        period_end=period.end,
        defaults={**values, "cap_requests": _standing_cap(tenant)},
    )
    if not is_new and any(getattr(entitlement, name) != value for name, value in values.items()):
        for name, value in values.items():
            setattr(entitlement, name, value)
        entitlement.save(update_fields=list(values))
    return entitlement


def _standing_cap(tenant: Tenant) -> int | None:
    """A cap stands until it is changed: the new period starts with that of the last one."""
    last = Entitlement.objects.filter(tenant=tenant).order_by("-period_start").first()
    return last.cap_requests if last else None


@transaction.atomic
def quota_grant(
    *,
    tenant: Tenant,
    requests: int,
    kind: GrantKind,
    source: str,
    period_start: date,
    now: datetime,
    rolls_over: bool = False,
) -> QuotaGrant:
    """Raise the entitlement of the period that starts on `period_start` by `requests`.

    What of them is unused when the period ends rolls over, once, where `rolls_over` says so.

    The same `source` again returns the first grant and changes nothing. Raise NotInThisState
    where that period is over (or the plan's periods have changed): the buyer is to be refunded.
    """
    tenant = (
        Tenant.objects.select_for_update(of=("self",))
        .select_related("usage_plan")
        .get(pk=tenant.pk)
    )
    if requests < 1:
        raise Refused(_("A grant needs at least one request."))
    existing = QuotaGrant.objects.filter(source=source).first()
    if existing is not None:
        return existing
    entitlement = entitlement_ensure(tenant=tenant, now=now)
    if entitlement.period_start != period_start:
        raise NotInThisState(_("The quota period that this was bought for is over."))
    grant = QuotaGrant.objects.create(
        entitlement=entitlement,
        kind=kind,
        requests=requests,
        source=source,
        rolls_over=rolls_over,
        granted_at=now,
    )
    entitlement.granted_requests += requests
    entitlement.save(update_fields=["granted_requests"])
    audit_record(
        action="quota.granted", tenant=tenant, now=now, target=source, requests=requests, kind=kind
    )
    outbox_publish(kind="quota.changed", tenant=tenant, now=now)
    if kind == GrantKind.EXTENSION:
        told = {
            "requests": requests,
            "period_start": period_start.isoformat(),
            "period_end": (entitlement.period_end - timedelta(days=1)).isoformat(),
        }
        webhook_tell(kind="extension.granted", about=[(tenant, told)], now=now)
    reconcile_request(tenant=tenant, now=now)
    return grant


@transaction.atomic
def quota_cap_set(*, tenant: Tenant, requests: int | None, now: datetime) -> Entitlement:
    """Cap what the tenant may use in this and all later periods; None lifts the cap."""
    tenant = (
        Tenant.objects.select_for_update(of=("self",))
        .select_related("usage_plan")
        .get(pk=tenant.pk)
    )
    entitlement = entitlement_ensure(tenant=tenant, now=now)
    if entitlement.cap_requests != requests:
        entitlement.cap_requests = requests
        entitlement.save(update_fields=["cap_requests"])
        audit_record(action="quota.capped", tenant=tenant, now=now, requests=requests)
        outbox_publish(kind="quota.changed", tenant=tenant, now=now)
        reconcile_request(tenant=tenant, now=now)
    return entitlement
