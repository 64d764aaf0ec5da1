"""Deleting: what is locked for it, and how its objects go."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversions import backend, services
from conversions.models import Upload, UploadState
from conversions.services.uploads import PURGE_AFTER
from tenants.models import Tenant
from tests.cast import Cast
from tests.conversions.storage import put
from tests.conversions.uploads import an_upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="It locks no rows, but all of itself.")
def test_a_change_of_an_upload_leaves_its_tenant_unlocked(cast: Cast) -> None:
    upload = an_upload(cast.alice_corp, UploadState.FAILED, error_code="gave_up")
    now = timezone.now()
    with CaptureQueriesContext(connection) as queries:
        services.upload_delete(upload=upload, actor=cast.alice, now=now)
        services.upload_restore(upload=upload, actor=cast.alice, now=now)
        services.upload_retry(upload=upload, actor=cast.alice, now=now)
    locking = [each["sql"] for each in queries if "FOR UPDATE" in each["sql"]]
    assert len(locking) == 3
    for sql in locking:
        assert sql.endswith('FOR UPDATE OF "conversions_upload"')


def test_what_somebody_deletes_does_not_wait_for_all_that_expired_before_it(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    expired = [an_upload(tenant, deleted_at=now - 2 * PURGE_AFTER) for _ in range(3)]
    an_upload(tenant, deleted_at=now - PURGE_AFTER)
    waiting = Upload.objects.filter(purged_at=None)
    with monkeypatch.context() as in_no_time:
        in_no_time.setattr("conversions.services.uploads.PURGE_SECONDS", 0)
        services.uploads_sweep(now=now, limit=1)
    assert set(waiting.all()) == set(expired)
    services.uploads_sweep(now=now, limit=1)
    assert not waiting.all()


@pytest.fixture
def s3_keeps_an_object() -> Iterator[None]:
    """S3 answers 200, and names in its answer what it did not delete."""

    def kept(parsed: dict[str, Any], **_more: object) -> None:
        parsed["Errors"] = [{"Key": "a", "Code": "InternalError", "Message": "Try again."}]

    events = backend.client("s3").meta.events
    events.register("after-call.s3.DeleteObjects", kept)
    yield
    events.unregister("after-call.s3.DeleteObjects", kept)


def test_what_s3_could_not_delete_is_not_purged(
    tenant: Tenant, request: pytest.FixtureRequest
) -> None:
    now = timezone.now()
    upload = an_upload(tenant, deleted_at=now - PURGE_AFTER)
    put(upload.source_key, b"x")
    request.getfixturevalue("s3_keeps_an_object")
    with pytest.raises(backend.BackendUnavailable, match="1 are left"):
        services.uploads_sweep(now=now)
    upload.refresh_from_db()
    assert upload.purged_at is None
