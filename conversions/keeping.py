"""How long files are kept: the one rule that pages tell tenants, and that the sweep acts by.

A file is kept for as many days as the tenant's present plan says (Retention), and nothing is
deleted sooner than GRACE after a change: of the tenant's plan, or of the days by an operator. Who
changes plan again and again gets no further than GRACE beyond the longest retention of all, so that
S3 can have an expiry of its own, MARGIN beyond it, and never be early.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from conversions.models import Retention, Upload, UploadState
from tenants.models import PlanSpan, Tenant, UsagePlan

GRACE = timedelta(days=7)  # whole UTC days after that of the change
MARGIN = timedelta(days=14)


def kept_until(*, tenant: Tenant, uploads: Iterable[Upload], now: datetime) -> dict[int, datetime]:
    """Return from when on each of a tenant's uploads may go, by its id; {} where none ever does."""
    retention = Retention.objects.filter(usage_plan=tenant.usage_plan_id).first()
    if retention is None:
        return {}
    changed_on = tenant.plan_spans.aggregate(on=Max("ends_on"))["on"]
    grace_ends = _end_of_grace(max(retention.set_on, changed_on or retention.set_on))
    most = longest(now=now)
    found = {}
    for upload in uploads:
        spared_until = grace_ends
        if most is not None:
            spared_until = min(grace_ends, upload.created_at + most + GRACE)
        found[upload.pk] = max(upload.created_at + timedelta(days=retention.days), spared_until)
    return found


def due(*, retention: Retention, now: datetime) -> QuerySet[Upload]:
    """Return the uploads of a plan's tenants whose time is over, and that nobody works on."""
    if retention.set_on >= _spared_from(now):
        return Upload.objects.none()
    over = Upload.objects.filter(
        deleted_at=None,
        state__in=[UploadState.DONE, UploadState.FAILED],
        tenant__usage_plan=retention.usage_plan_id,
        created_at__lte=now - timedelta(days=retention.days),
    )
    changes = PlanSpan.objects.filter(tenant=OuterRef("tenant"), ends_on__gte=_spared_from(now))
    spared = Q(Exists(changes))
    most = longest(now=now)
    if most is not None:
        spared &= Q(created_at__gt=now - most - GRACE)
    return over.exclude(spared)


def longest(*, now: datetime) -> timedelta | None:
    """Return for how long the most generous plan keeps files, None where one does so for good.

    None, too, for MARGIN after any retention was set: older files may have been promised more.
    """
    retentions = list(Retention.objects.all())
    plans = [each.usage_plan_id for each in retentions]
    lately = now.astimezone(UTC).date() - MARGIN
    if any(each.set_on >= lately for each in retentions):
        return None
    if not retentions or UsagePlan.objects.exclude(pk__in=plans).exists():
        return None
    return timedelta(days=max(each.days for each in retentions))


def retention_days() -> dict[int, int]:
    """Return for how many days files are kept, by the usage plan's id; of others, for good."""
    return dict(Retention.objects.values_list("usage_plan", "days"))


def _spared_from(now: datetime) -> date:
    """Return the first UTC day of which a change still spares files."""
    return now.astimezone(UTC).date() - GRACE


def _end_of_grace(changed_on: date) -> datetime:
    return datetime.combine(changed_on + GRACE + timedelta(days=1), time(), tzinfo=UTC)
