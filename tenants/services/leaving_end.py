"""The end of a tenant whose grace is over: its keys are revoked, each app does its part, and then
what this app has goes, but for what stays by the rules on leaving.

Level-triggered by rows, as everything here: LeavingPart says what is still to be done. Safe to run
twice, beside another run, and to be killed anywhere. One tenant's failure stops no other's.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import structlog
from django.db import models, transaction
from django.db.models import Exists, OuterRef

from tenants import leaving
from tenants.models import (
    ApiKey,
    ApiKeyVersion,
    ApiToken,
    AuditEntry,
    Entitlement,
    LeavingPart,
    LiveDay,
    LiveMinute,
    Mail,
    PlanSpan,
    Tenant,
    TenantState,
    UsageDay,
    UsageRecord,
    User,
)
from tenants.selectors.members import users_of_no_other
from tenants.services.accounts import operators_log_forget, users_forget
from tenants.services.api_keys import versions_revoke
from tenants.services.audit import audit_record
from tenants.services.mails import mail_operators
from tenants.services.outbox import outbox_publish
from tenants.services.reconciling import STOP, reconcile_request

log = structlog.get_logger(__name__)

NAME = "deleted organisation"  # for operators, who read English
KEY_NAME = "deleted key"
# What was billed rests on these, and the gateway's keys are looked after by them for 90 days more.
# None says who anybody was.
KEPT: frozenset[type[models.Model]] = frozenset(
    {ApiKey, Entitlement, LeavingPart, PlanSpan, UsageDay}
)

TOLD_AFTER = timedelta(days=3)  # of waiting: nearly all are gone by the next day

Part = Callable[[Tenant, datetime], str]


def leaving_sweep(*, now: datetime) -> None:
    """Begin the end of those whose grace is over, and close those whose parts are all done, once
    their last mails are sent, or given up. Tell operators of those that wait for long.
    """
    over = Tenant.objects.filter(state=TenantState.CLOSING, closes_at__lte=now, leaving_parts=None)
    for pk in over.values_list("pk", flat=True):
        _each("leaving.not_begun", pk, lambda pk: _begin(pk, now))
    undone = LeavingPart.objects.filter(tenant=OuterRef("pk"), done_at=None)
    unsent = Mail.objects.filter(
        tenant=OuterRef("pk"), invitation=None, sent_at=None, tried_until__gt=now
    )
    ready = Tenant.objects.filter(
        ~Exists(undone), ~Exists(unsent), state=TenantState.CLOSING, leaving_parts__isnull=False
    )
    for pk in ready.values_list("pk", flat=True).distinct():
        _each("leaving.not_closed", pk, lambda pk: _close(pk, now))
    late = LeavingPart.objects.filter(done_at=None, begun_at__lte=now - TOLD_AFTER)
    for pk in late.values_list("pk", flat=True):
        _each("leaving.not_told", pk, lambda pk: _operators_tell(pk, now))


def leaving_parts_do(*, app: str, do: Part, now: datetime) -> None:
    """Have an app do its part for each tenant that waits for it; `do` returns what it waits for,
    empty once it is done.

    What it raises is logged, and tried again by the next sweep.
    """
    for part in LeavingPart.objects.filter(app=app, done_at=None).select_related("tenant"):
        try:
            waits_for = do(part.tenant, now)
        except Exception as error:
            log.exception("leaving.part_failed", app=app, tenant=str(part.tenant.uuid))
            waits_for = str(error) or type(error).__name__
        LeavingPart.objects.filter(pk=part.pk, done_at=None).update(
            waits_for=waits_for[:300], done_at=None if waits_for else now
        )


def rows_forget(
    *, tenant: Tenant, app: str, kept: Collection[type[models.Model]] = frozenset()
) -> None:
    """Delete an app's rows that are the tenant's own: those that would go with the tenant's.

    What has to stay points at it with PROTECT, or is `kept`.
    """
    for relation in Tenant._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel) and relation.on_delete is models.CASCADE:
            model = relation.related_model
            if model._meta.app_label == app and model not in kept:
                model._base_manager.filter(**{relation.field.name: tenant}).delete()


def _each(event: str, pk: int, act: Callable[[int], None]) -> None:
    try:
        act(pk)
    except Exception:
        log.exception(event, pk=pk)


def _operators_tell(pk: int, now: datetime) -> None:
    """Mail, once, what a part waits for: it may wait for somebody, and there is no end to that."""
    part = LeavingPart.objects.select_related("tenant").get(pk=pk)
    mail_operators(
        tenant=part.tenant,
        permission="tenants.view_leavingpart",
        kind="tenants.leaving_waits",
        key=f"leaving-waits:{part.pk}",
        context={
            "day": f"{part.begun_at:%Y-%m-%d}",
            "part": part.app,
            "waits_for": part.waits_for or "its worker",
        },
        now=now,
    )


@transaction.atomic
def _begin(pk: int, now: datetime) -> None:
    """Revoke all that lets anybody in; from here there is no way back."""
    tenant = Tenant.objects.select_for_update().get(pk=pk)
    is_over = tenant.closes_at is not None and tenant.closes_at <= now
    if tenant.state != TenantState.CLOSING or not is_over or tenant.leaving_parts.exists():
        return
    LeavingPart.objects.bulk_create(
        LeavingPart(tenant=tenant, app=app, begun_at=now) for app in leaving.apps()
    )
    ApiKey.objects.filter(tenant=tenant, revoked_at=None).update(revoked_at=now)
    versions = ApiKeyVersion.objects.filter(api_key__tenant=tenant)
    versions_revoke(versions=versions, tenant=tenant, now=now)
    ApiToken.objects.filter(tenant=tenant, revoked_at=None).update(revoked_at=now)
    reconcile_request(tenant=tenant, now=now, lane=STOP)


@transaction.atomic
def _close(pk: int, now: datetime) -> None:
    """Delete what is left, the members' accounts among it, and note for operators that it was."""
    tenant = Tenant.objects.select_for_update().get(pk=pk)
    if tenant.state != TenantState.CLOSING:
        return
    asked = AuditEntry.objects.filter(tenant=tenant, action="tenant.closing").first()
    # Who joins another tenant waits, or has joined it by the time that these are locked.
    going = users_of_no_other(tenant=tenant).values("pk")
    list(User.objects.select_for_update().filter(pk__in=going).order_by("pk"))
    # By their ids: what tells them goes before they do.
    users = list(users_of_no_other(tenant=tenant).values_list("pk", flat=True))
    live = {"version__api_key__tenant": tenant}
    LiveMinute.objects.filter(**live).delete()
    LiveDay.objects.filter(**live).delete()
    UsageRecord.objects.filter(tenant=tenant).delete()
    rows_forget(tenant=tenant, app="tenants", kept=KEPT)
    operators_log_forget(Tenant, [pk])
    users_forget(users=users)
    tenant.api_keys.update(name=KEY_NAME, created_by=None)
    tenant.name, tenant.state = NAME, TenantState.CLOSED
    tenant.save(update_fields=["name", "state"])
    audit_record(
        action="tenant.closed", tenant=None, now=now, target=str(tenant.uuid),
        asked_at=asked.at.isoformat() if asked else None,
        asked_by=asked.actor_id if asked else None,
    )  # fmt: skip
    outbox_publish(kind="tenant.closed", tenant=tenant, now=now)
