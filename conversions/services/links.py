"""Links to an upload's variants that anybody may open until they end."""

from datetime import datetime, timedelta

from django.db import transaction

from conversions.links import Link
from conversions.models import Upload
from conversions.selectors import current
from tenants.models import User
from tenants.services import audit_record

LIFETIMES = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


@transaction.atomic
def links_create(
    *, upload: Upload, lifetime: timedelta, actor: User, now: datetime
) -> dict[int, Link]:
    """Return a link to each variant that is there, by the variant's id, and note who made them."""
    until = now + lifetime
    audit_record(
        action="upload.linked",
        tenant=upload.tenant,
        actor=actor,
        now=now,
        target=upload.filename,
        until=until.isoformat(),
    )
    return {
        each.pk: Link(upload.uuid, each.preset_code, each.preset_version, until)
        for each in current(upload.conversions.all())
    }
