"""S3's own expiry, the safety net behind the sweep: it is there where it can never be early.

The local AWS stores and checks the rules, but deletes nothing by them.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.utils import timezone

from conversions import backend, services, tasks
from conversions.models import Retention, Upload, UploadState
from conversions.services.uploads import PURGE_AFTER
from tenants.models import Tenant, UsagePlan
from tenants.services import usage_plan_save

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SETTLED, LATELY = date(2026, 11, 9), date(2026, 11, 10)  # 15 and 14 days ago
FOREIGN: dict[str, Any] = {
    "ID": "somebody else's",
    "Status": "Disabled",
    "Filter": {"Prefix": "exports/"},
    "Expiration": {"Days": 3},
}


@pytest.fixture
def bucket(stack: str, tenant: Tenant) -> str:
    """The files' bucket, without any rules."""
    name = backend.outputs()["FilesBucket"]
    backend.client("s3").delete_bucket_lifecycle(Bucket=name)
    return name


def rules(bucket: str) -> dict[str, dict[str, Any]]:
    answer = backend.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)
    return {rule["ID"]: rule for rule in answer["Rules"]}


def keep(plan: UsagePlan, days: int, set_on: date = SETTLED) -> Retention:
    return Retention.objects.create(usage_plan=plan, days=days, set_on=set_on)


def expiry(bucket: str) -> list[int | None]:
    """Return after how many days uploads and variants expire."""
    found = rules(bucket)
    ours = [found[name] for name in ("sekisho-uploads", "sekisho-variants")]
    return [rule.get("Expiration", {}).get("Days") for rule in ours]


def test_it_follows_the_longest_retention_where_every_plan_has_one(
    bucket: str, tenant: Tenant
) -> None:
    more = usage_plan_save(
        usage_plan=UsagePlan(code="more", name="More", rate_limit=1, burst_limit=1, quota_limit=1),
        now=NOW,
    )
    free = keep(tenant.usage_plan, 30)
    assert services.lifecycle_apply(now=NOW)
    assert expiry(bucket) == [None, None]  # the other plan keeps files for good
    keep(more, 180)
    assert services.lifecycle_apply(now=NOW)
    assert expiry(bucket) == [194, 194]
    assert not services.lifecycle_apply(now=NOW)
    free.days = 31
    services.retention_save(retention=free, now=NOW)
    assert services.lifecycle_apply(now=NOW)  # what was promised before is not known any more
    assert expiry(bucket) == [None, None]
    assert services.lifecycle_apply(now=NOW + timedelta(days=15))
    assert expiry(bucket) == [194, 194]
    Retention.objects.all().delete()
    assert services.lifecycle_apply(now=NOW)
    assert expiry(bucket) == [None, None]


@pytest.mark.parametrize(("set_on", "days"), [(SETTLED, 44), (LATELY, None)])
def test_a_change_keeps_it_away_for_two_weeks(
    bucket: str, tenant: Tenant, set_on: date, days: int | None
) -> None:
    keep(tenant.usage_plan, 30, set_on)
    services.lifecycle_apply(now=NOW)
    assert expiry(bucket) == [days, days]


def test_what_was_begun_in_parts_and_never_ended_goes_after_a_day(bucket: str) -> None:
    services.lifecycle_apply(now=NOW)
    found = rules(bucket)
    assert {rule["Filter"]["Prefix"] for rule in found.values()} == {"uploads/", "variants/"}
    for rule in found.values():
        assert rule["Status"] == "Enabled"
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_rules_of_others_are_kept(bucket: str, tenant: Tenant) -> None:
    backend.client("s3").put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [FOREIGN]}
    )
    assert services.lifecycle_apply(now=NOW)
    keep(tenant.usage_plan, 30)
    assert services.lifecycle_apply(now=NOW)
    found = rules(bucket)
    assert found.pop(FOREIGN["ID"]) == FOREIGN
    assert [rule["Expiration"]["Days"] for rule in found.values()] == [44, 44]


def test_a_rule_that_somebody_took_away_comes_back(bucket: str) -> None:
    services.lifecycle_apply(now=NOW)
    backend.client("s3").delete_bucket_lifecycle(Bucket=bucket)
    assert services.lifecycle_apply(now=NOW)
    assert expiry(bucket) == [None, None]


@pytest.fixture
def old_upload(tenant: Tenant) -> Upload:
    """An upload that is due by the real clock, which tasks go by."""
    now = timezone.now()
    keep(tenant.usage_plan, 30, now.date() - timedelta(days=60))
    return Upload.objects.create(
        tenant=tenant, state=UploadState.DONE, filename="a.jpg", created_at=now - timedelta(days=60)
    )


def test_the_task_deletes_rows_first_and_then_objects_go(bucket: str, old_upload: Upload) -> None:
    s3 = backend.client("s3")
    for prefix in old_upload.prefixes:
        s3.put_object(Bucket=bucket, Key=f"{prefix}file", Body=b"x")
    tasks.retention_sweep()
    assert len(rules(bucket)) == 2
    services.uploads_sweep(now=timezone.now() + PURGE_AFTER)
    for prefix in old_upload.prefixes:
        with pytest.raises(ClientError, match="404"):
            s3.head_object(Bucket=bucket, Key=f"{prefix}file")


def test_while_s3_is_away_files_expire_in_our_rows_all_the_same(
    old_upload: Upload, storage_away: None
) -> None:
    tasks.retention_sweep()
    old_upload.refresh_from_db()
    assert old_upload.deleted_at is not None
