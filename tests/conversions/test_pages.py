"""`/uploads/`: what each person may do, and what it says when something is wrong."""

import re
import uuid

import httpx
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversions.models import Upload, UploadError, UploadState
from conversions.services import UNDO_FOR
from conversions.services.uploads import MOST_UNFINISHED
from tenants.models import Member, Role, Tenant
from tests.cast import Cast
from tests.conversions.conftest import finish
from tests.conversions.uploads import a_variant, an_upload
from tests.sessions import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_browsers_way_from_form_to_picture(tenant: Tenant, alice: Client, photo: bytes) -> None:
    asked = alice.post(
        reverse("upload-create"), {"name": "me.jpg", "size": len(photo), "type": "image/jpeg"}
    ).json()
    httpx.post(asked["url"], data=asked["fields"], files={"file": photo}).raise_for_status()
    finish(Upload.objects.get())
    page = alice.get(reverse("uploads")).content.decode()
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert len(pictures) == 3
    for address in pictures:
        answer = alice.get(address)
        assert answer.headers["Cache-Control"] == "private, max-age=1800"
        assert httpx.get(answer.headers["Location"]).headers["Content-Type"].startswith("image/")
        saved = httpx.get(alice.get(f"{address}?download").headers["Location"])
        assert saved.headers["Content-Disposition"].startswith('attachment; filename="me-')


@pytest.mark.parametrize(
    "what",
    [
        "get upload-source", "get upload-variant", "get upload-links", "post upload-links",
        "post upload-public", "post upload-retry", "post uploads-delete", "post uploads-restore",
        "get uploads-archive", "post uploads-archive",
    ],
)  # fmt: skip
@pytest.mark.parametrize("whose", ["charlies", "deleted", "nobodys"])
def test_what_is_not_theirs_is_not_there(cast: Cast, alice: Client, what: str, whose: str) -> None:
    tenant = cast.charlie_corp if whose == "charlies" else cast.alice_corp
    deleted_at = timezone.now() - UNDO_FOR if whose == "deleted" else None
    upload = an_upload(tenant, UploadState.FAILED, error_code="gave_up", deleted_at=deleted_at)
    variant = a_variant(upload)
    asked = uuid.uuid4() if whose == "nobodys" else upload.uuid
    method, name = what.split()
    if name.startswith("uploads-"):
        address, form = reverse(name), {"upload": str(asked)}
    else:
        more = [variant.pk] if name == "upload-variant" else []
        address, form = reverse(name, args=[asked, *more]), {"on": "on", "lifetime": "day"}
    answer = getattr(alice, method)(address, form, headers={"accept": "application/json"})
    # Too late to undo, it is theirs to know of still.
    is_too_late = (name, whose) == ("uploads-restore", "deleted")
    assert answer.status_code == (409 if is_too_late else 404)
    upload.refresh_from_db()
    assert (upload.deleted_at, upload.public_id, upload.state) == (deleted_at, None, "failed")


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("get", "uploads"), ("get", "uploads-news"), ("get", "uploads-archive"),
        ("post", "upload-create"), ("post", "uploads-delete"), ("post", "uploads-restore"),
    ],
)  # fmt: skip
def test_a_visitor_is_asked_to_sign_in(db: None, method: str, name: str) -> None:
    answer = getattr(Client(), method)(reverse(name))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("account_login"))


def test_who_may_not_upload_may_look(cast: Cast) -> None:
    upload = an_upload(cast.alice_corp, UploadState.FAILED, error_code=UploadError.GAVE_UP)
    Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
    bob = signed_in(cast.bob)
    page = bob.get(reverse("uploads")).content.decode()
    assert "a.jpg" in page
    assert "upload-form" not in page
    for name in ("uploads-delete", "uploads-restore"):
        assert reverse(name) not in page
        assert bob.post(reverse(name), {"upload": upload.uuid}).status_code == 403
    assert bob.post(reverse("upload-create"), {"name": "a", "size": 1}).status_code == 403
    for name in ("upload-retry", "upload-links", "upload-public"):
        assert reverse(name, args=[upload.uuid]) not in page
        assert bob.post(reverse(name, args=[upload.uuid])).status_code == 403


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({}, "size is missing"),
        ({"name": "a.jpg", "size": "many"}, "size is missing"),
        ({"name": "a.jpg", "size": "0"}, "“a.jpg” is empty."),
        ({"name": "a.jpg", "size": "-1"}, "“a.jpg” is empty."),
        ({"name": "a.jpg", "size": "20000001"}, "at most 20 MB"),
        ({"name": "", "size": "1"}, "no name"),
        ({"name": "C:\\x\\", "size": "1"}, "no name"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    cast: Cast, alice: Client, form: dict[str, str], text: str
) -> None:
    answer = alice.post(reverse("upload-create"), form)
    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert not Upload.objects.exists()


def test_only_so_many_files_may_be_unfinished(
    cast: Cast, alice: Client, storage_away: None
) -> None:
    form = {"name": "a.jpg", "size": "1"}
    upload = an_upload(cast.alice_corp, UploadState.WAITING, declared_size=1)
    fields = {name: getattr(upload, name) for name in ("tenant", "declared_size", "created_at")}
    others = MOST_UNFINISHED - 1
    Upload.objects.bulk_create(Upload(filename="b.jpg", **fields) for _ in range(others))
    answer = alice.post(reverse("upload-create"), form)
    assert (answer.status_code, "at most 2000" in answer.json()["error"]) == (400, True)
    Upload.objects.filter(pk=upload.pk).update(state=UploadState.DONE)
    assert alice.post(reverse("upload-create"), form).status_code == 503  # S3 would be asked now


def test_where_storage_cannot_be_reached_pages_work_and_nothing_is_written(
    cast: Cast, alice: Client, storage_away: None
) -> None:
    variant = a_variant(an_upload(cast.alice_corp))
    answer = alice.post(reverse("upload-create"), {"name": "a.jpg", "size": "1"})
    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["error"]
    assert Upload.objects.count() == 1
    page = alice.get(reverse("uploads"))
    assert page.status_code == 200
    address = reverse("upload-variant", args=[variant.upload.uuid, variant.pk])
    assert address in page.content.decode()
    assert alice.get(address).status_code == 503


@pytest.mark.parametrize(
    ("error", "offered"), [(UploadError.GAVE_UP, True), (UploadError.DAMAGED, False)]
)
def test_a_failure_says_why_and_offers_what_can_help(
    cast: Cast, alice: Client, error: UploadError, offered: bool
) -> None:
    upload = an_upload(cast.alice_corp, UploadState.FAILED, error_code=error)
    page = alice.get(reverse("uploads")).content.decode()
    assert str(error.label) in page
    retry = reverse("upload-retry", args=[upload.uuid])
    assert (retry in page) == offered
    answer = alice.post(retry, follow=True)
    upload.refresh_from_db()
    assert (upload.state == UploadState.WAITING) == offered
    assert (b"cannot be tried again" in answer.content) == (not offered)


def test_deleting_says_so_and_can_be_undone(cast: Cast, alice: Client) -> None:
    mine, another = an_upload(cast.alice_corp), an_upload(cast.alice_corp, filename="b.jpg")
    chosen = {"upload": [str(mine.uuid), str(another.uuid)]}
    page = alice.post(reverse("uploads-delete"), chosen, follow=True).content.decode()
    assert "2 files were deleted." in page
    assert set(re.findall(r'name="upload" value="([^"]+)"', page)) == set(chosen["upload"])
    assert alice.post(reverse("uploads-delete"), chosen).status_code == 404
    page = alice.post(reverse("uploads-restore"), chosen, follow=True).content.decode()
    assert "2 files are back." in page
    assert page.count('data-testid="upload"') == 2


def test_after_a_minute_no_undo_is_offered_nor_possible(cast: Cast, alice: Client) -> None:
    gone = an_upload(cast.alice_corp, deleted_at=timezone.now() - UNDO_FOR)
    page = alice.get(reverse("uploads"), {"deleted": str(gone.uuid)}).content.decode()
    assert "was deleted" not in page
    answer = alice.post(reverse("uploads-restore"), {"upload": gone.uuid}, follow=True)
    assert "cannot be brought back any more" in answer.content.decode()


def test_a_script_is_told_in_json(cast: Cast, alice: Client) -> None:
    upload, json = an_upload(cast.alice_corp), {"accept": "application/json"}
    answer = alice.post(reverse("uploads-delete"), {"upload": upload.uuid}, headers=json)
    assert answer.json() == {"said": "1 file was deleted.", "undo": reverse("uploads-restore")}
    answer = alice.post(answer.json()["undo"], {"upload": upload.uuid}, headers=json)
    assert answer.json() == {"said": "1 file is back.", "undo": ""}
    answer = alice.post(reverse("upload-retry", args=[upload.uuid]), headers=json)
    assert (answer.status_code, answer.json()) == (
        409, {"error": "“a.jpg” cannot be tried again."}
    )  # fmt: skip
    assert b"cannot be tried again" not in alice.get(reverse("uploads")).content


@pytest.mark.parametrize("form", [{}, {"upload": "none"}])
def test_what_names_no_upload_is_not_there(cast: Cast, alice: Client, form: dict[str, str]) -> None:
    for name in ("uploads-delete", "uploads-restore"):
        assert alice.post(reverse(name), form).status_code == 404
