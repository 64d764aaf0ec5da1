"""Who may see an upload, and that it is gone: the portal and the functions come to agree on it."""

import os
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversions import services
from conversions.backend.uploads import Told, upload_failed, upload_told
from conversions.models import Upload
from conversions.serverless.functions.clients import table
from conversions.services.sharing import published_as
from conversions.services.uploads import ABANDONED_AFTER, STUCK_AFTER
from tenants.models import AuditEntry
from tests.cast import Cast

NOW = timezone.now()


@pytest.fixture
def upload(cast: Cast) -> Upload:
    return Upload.objects.create(tenant=cast.alice_corp, filename="a.jpg", created_at=NOW)


def publish(upload: Upload, cast: Cast, is_public: bool = True) -> uuid.UUID | None:
    services.upload_publish(upload=upload, is_public=is_public, actor=cast.alice, now=NOW)
    upload.refresh_from_db()
    return upload.public_id


def names(upload: Upload) -> dict[str, str]:
    return {"tenant": str(upload.tenant.uuid), "upload": str(upload.uuid)}


def known(upload: Upload) -> dict[str, Any]:
    """Return what the functions know, once they are told."""
    services.uploads_tell()
    assert services.uploads_tell() == 0
    key = {"pk": str(upload.tenant.uuid), "sk": f"upload#{upload.uuid}"}
    found: dict[str, Any] = table(os.environ["UPLOADS_TABLE"]).get_item(Key=key)["Item"]
    return found


@pytest.mark.django_db
def test_an_upload_is_made_public_under_an_id_that_never_comes_back(
    upload: Upload, cast: Cast
) -> None:
    first = publish(upload, cast)
    assert first is not None
    assert publish(upload, cast) == first
    assert publish(upload, cast, is_public=False) is None
    assert publish(upload, cast) not in (None, first)
    actions = [entry.action for entry in AuditEntry.objects.filter(target="a.jpg").order_by("id")]
    assert actions == ["upload.published", "upload.unpublished", "upload.published"]


@pytest.mark.django_db
def test_what_is_deleted_is_not_made_public(upload: Upload, cast: Cast) -> None:
    services.upload_delete(upload=upload, actor=cast.alice, now=NOW)
    assert publish(upload, cast) is None


@pytest.mark.django_db
def test_the_newest_change_wins_and_says_by_which_key_it_was_made(
    upload: Upload, cast: Cast
) -> None:
    newest, older = uuid.uuid4(), uuid.uuid4()
    published_as(locked=upload, public_id=newest, revision=8, key="key-1", now=NOW)
    for revision in (8, 7):
        published_as(locked=upload, public_id=older, revision=revision, key="key-1", now=NOW)
    upload.refresh_from_db()
    assert upload.public_id == newest
    entry = AuditEntry.objects.get(target="a.jpg")
    assert (entry.actor, entry.data) == (None, {"key": "key-1"})
    assert publish(upload, cast, is_public=False) is None


@pytest.mark.django_db(transaction=True)
def test_the_functions_are_told(upload: Upload, cast: Cast, on_lambda: None) -> None:
    public_id = publish(upload, cast)
    assert known(upload)["public_id"] == str(public_id)
    publish(upload, cast, is_public=False)
    assert "public_id" not in known(upload)


@pytest.mark.django_db(transaction=True)
def test_what_a_caller_changed_later_stays(upload: Upload, cast: Cast, on_lambda: None) -> None:
    publish(upload, cast)
    told = Told(
        filename="a.jpg", created_at=NOW, public_id=None, is_deleted=False,
        revision=upload.revision + 1,
    )  # fmt: skip
    upload_told(**names(upload), told=told)
    assert "public_id" not in known(upload)
    upload.refresh_from_db()
    assert upload.known_revision < upload.revision  # until the caller's change has come here, too


@pytest.mark.django_db(transaction=True)
def test_what_a_caller_changed_of_what_was_deleted_meanwhile_does_not_bring_it_back(
    upload: Upload, cast: Cast, on_lambda: None
) -> None:
    services.upload_delete(upload=upload, actor=cast.alice, now=NOW)
    upload.refresh_from_db()
    public_id, revision = uuid.uuid4(), upload.revision + 1
    told = Told(
        filename="a.jpg", created_at=NOW, public_id=public_id, is_deleted=False, revision=revision
    )
    upload_told(**names(upload), told=told)
    assert "deleted" not in known(upload)
    change = {"kind": "published", "public_id": str(public_id), "revision": revision, "key": "k"}
    services.result_apply(body=names(upload) | change, now=NOW)
    assert known(upload)["deleted"]


@pytest.mark.django_db(transaction=True)
def test_what_is_deleted_a_moment_ago_comes_back_as_it_was(
    upload: Upload, cast: Cast, on_lambda: None
) -> None:
    public_id = publish(upload, cast)
    services.upload_delete(upload=upload, actor=cast.alice, now=NOW)
    assert known(upload)["deleted"]
    services.upload_restore(upload=upload, actor=cast.alice, now=NOW)
    found = known(upload)
    assert ("deleted" in found, found["public_id"]) == (False, str(public_id))


@pytest.mark.django_db(transaction=True)
def test_of_what_is_gone_a_mark_stays_that_nothing_is_written_over(
    upload: Upload, cast: Cast, on_lambda: None
) -> None:
    publish(upload, cast)
    services.upload_delete(upload=upload, actor=cast.alice, now=NOW)
    assert known(upload)["deleted"]
    purged_at = NOW + ABANDONED_AFTER + STUCK_AFTER + timedelta(seconds=1)
    services.uploads_sweep(now=purged_at)
    upload_failed(**names(upload), code="empty", text="late")
    found = known(upload)
    assert found.keys() == {"pk", "sk", "deleted", "expires"}
    assert found["expires"] > (purged_at + timedelta(days=14)).timestamp()
