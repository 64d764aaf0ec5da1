"""Retention: what an operator sets, and the end of files that were kept for long enough.

The rule is in conversions/keeping.py. The sweep marks uploads as deleted, as a person does; their
objects then go as theirs do (uploads.py). S3 has an expiry of its own as a safety net, for objects
that no row knows any more: it comes after the sweep, and where in doubt not at all.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from django.db import transaction

from conversions import keeping
from conversions.backend import buckets
from conversions.models import Retention, Upload
from conversions.services.sharing import revisions_next, tell_soon
from tenants import queue
from tenants.models import Tenant, UsagePlan, User
from tenants.services import audit_record

log = structlog.get_logger(__name__)

SEEDED = {"free": 30, "starter": 180}  # days, by the usage plan's code
BATCH = 500  # uploads that one transaction deletes


@transaction.atomic
def retention_save(*, retention: Retention, now: datetime, actor: User | None = None) -> Retention:
    """Validate and save for how long a plan's files are kept; S3's own rules follow on commit.

    Raise django.core.exceptions.ValidationError where the days are out of range.
    """
    stored = Retention.objects.select_for_update().filter(pk=retention.pk).first()
    if stored is None or stored.days != retention.days:
        retention.set_on = now.astimezone(UTC).date()
    retention.full_clean()
    retention.save()
    _changed("retention.saved", retention, now=now, actor=actor)
    return retention


@transaction.atomic
def retention_delete(*, retention: Retention, now: datetime, actor: User) -> None:
    """Have a plan's files kept until somebody deletes them; S3's own rules follow on commit."""
    retention.delete()
    _changed("retention.deleted", retention, now=now, actor=actor)


def _changed(action: str, retention: Retention, *, now: datetime, actor: User | None) -> None:
    audit_record(
        action=action,
        tenant=None,
        actor=actor,
        now=now,
        target=retention.usage_plan.code,
        days=retention.days,
    )
    queue.on_commit("conversions.tasks.retention_sweep", queue="default")


def retentions_seed(*, usage_plans: Iterable[UsagePlan], now: datetime) -> None:
    """Give usage plans that are new what a fresh installation has; others stay as they are.

    One that is there already may be without a retention on purpose.
    """
    for usage_plan in usage_plans:
        if usage_plan.code in SEEDED:
            days = SEEDED[usage_plan.code]
            retention_save(retention=Retention(usage_plan=usage_plan, days=days), now=now)


def retention_sweep(*, now: datetime) -> int:
    """Delete the uploads whose time is over, a batch a transaction; return how many.

    Each batch looks afresh for what is due: so a run that died is simply gone on with, and an
    operator's change counts from the next batch on.
    """
    deleted = 0
    for pk in Retention.objects.values_list("pk", flat=True):
        while count := _delete_due(pk, now):
            deleted += count
    if deleted:
        log.info("uploads.expired", count=deleted)
    return deleted


@transaction.atomic
def _delete_due(pk: int, now: datetime) -> int:
    """Delete one batch; the audit trail gets a row for each tenant in it, with how many."""
    retention = Retention.objects.select_for_update().filter(pk=pk).first()
    if retention is None:
        return 0
    due = keeping.due(retention=retention, now=now).select_for_update(of=("self",))
    in_order = due.order_by("tenant_id", "-created_at", "-id")  # of the index upload_of_tenant
    found = dict(in_order.values_list("pk", "tenant_id")[:BATCH])
    if not found:
        return 0
    Upload.objects.filter(pk__in=found).update(deleted_at=now, revision=revisions_next(now=now))
    counts = Counter(found.values())
    for tenant in Tenant.objects.filter(pk__in=counts):
        audit_record(
            action="uploads.expired",
            tenant=tenant,
            now=now,
            uploads=counts[tenant.pk],
            days=retention.days,
        )
    tell_soon()
    return len(found)


def lifecycle_apply(*, now: datetime) -> bool:
    """Have S3's own rules say what the rows say; return whether they did not. Raise BackendError.

    S3 knows no plans: where one keeps files for good, nothing expires there.
    """
    longest = keeping.longest(now=now)
    days = None if longest is None else (longest + keeping.MARGIN).days
    return buckets.files_lifecycle_put(days=days)
