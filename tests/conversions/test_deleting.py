"""Deleting: what is locked for it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversions import services
from conversions.models import UploadState
from tests.cast import Cast
from tests.conversions.test_pages import an_upload

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
