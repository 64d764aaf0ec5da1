"""`/uploads/`: what each person sees and may do, and what it says when something is wrong."""

import re
import uuid
from collections.abc import Callable
from datetime import date

import httpx
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversions.models import (
    Conversion,
    ConversionState,
    Upload,
    UploadError,
    UploadState,
    VariantViews,
)
from portal.views.uploads import BUSY, SHOWN
from tenants.models import Member, Role, Tenant, User
from tests.cast import Cast
from tests.conversions.conftest import finish

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[[bytes], Upload]


@pytest.fixture
def alice(cast: Cast) -> Client:
    return signed_in(cast.alice)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def an_upload(tenant: Tenant, state: str = UploadState.DONE, **values: object) -> Upload:
    now = timezone.now()
    fields = {"filename": "a.jpg", "declared_size": 9, "created_at": now, "checked_at": now}
    return Upload.objects.create(tenant=tenant, state=state, **{**fields, **values})


def a_variant(upload: Upload) -> Conversion:
    return Conversion.objects.create(
        upload=upload, preset_code="thumb", preset_version=1, state=ConversionState.DONE,
        key="variants/x", format="webp", bytes=5, width=2, height=1,
    )  # fmt: skip


def test_a_browsers_way_from_form_to_picture(tenant: Tenant, alice: Client, photo: bytes) -> None:
    asked = alice.post(
        reverse("upload-create"), {"name": "me.jpg", "size": len(photo), "type": "image/jpeg"}
    ).json()
    httpx.post(asked["url"], data=asked["fields"], files={"file": photo}).raise_for_status()
    finish(Upload.objects.get())
    page = alice.get(reverse("upload-gallery")).content.decode()
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert len(pictures) == 3
    for address in pictures:
        answer = alice.get(address)
        assert answer.headers["Cache-Control"] == "private, max-age=1800"
        assert httpx.get(answer.headers["Location"]).headers["Content-Type"].startswith("image/")
        saved = httpx.get(alice.get(f"{address}?download").headers["Location"])
        assert saved.headers["Content-Disposition"].startswith('attachment; filename="me-')


def test_addresses_of_pictures_stay_the_same(cast: Cast, alice: Client) -> None:
    a_variant(an_upload(cast.alice_corp))
    first, second = (alice.get(reverse("upload-gallery")).content for _ in range(2))
    assert re.findall(rb'src="[^"]+"', first) == re.findall(rb'src="[^"]+"', second) != []


@pytest.mark.parametrize("what", ["upload", "upload-retry", "upload-delete", "upload-variant"])
@pytest.mark.parametrize("whose", ["charlies", "deleted", "nobodys"])
def test_what_is_not_theirs_is_not_there(cast: Cast, alice: Client, what: str, whose: str) -> None:
    tenant = cast.charlie_corp if whose == "charlies" else cast.alice_corp
    deleted_at = timezone.now() if whose == "deleted" else None
    upload = an_upload(tenant, deleted_at=deleted_at)
    arguments: list[object] = [uuid.uuid4() if whose == "nobodys" else upload.uuid]
    if what == "upload-variant":
        arguments.append(a_variant(upload).pk)
    is_post = what in {"upload-retry", "upload-delete"}
    address = reverse(what, args=arguments)
    answer = alice.post(address) if is_post else alice.get(address)
    if (what, whose) == ("upload", "deleted"):  # asked for by a page that still shows it
        assert (answer.status_code, answer.content) == (200, b"")
    else:
        assert answer.status_code == 404


@pytest.mark.parametrize("name", ["uploads", "upload-gallery", "upload-create"])
def test_a_visitor_is_asked_to_sign_in(db: None, name: str) -> None:
    visitor = Client()
    ask = visitor.post if name == "upload-create" else visitor.get
    answer = ask(reverse(name))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("account_login"))


def test_who_may_not_upload_may_look(cast: Cast) -> None:
    upload = an_upload(cast.alice_corp, UploadState.FAILED, error_code=UploadError.GAVE_UP)
    Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
    bob = signed_in(cast.bob)
    page = bob.get(reverse("uploads")).content.decode()
    assert "a.jpg" in page
    assert "upload-form" not in page
    assert reverse("upload-delete", args=[upload.uuid]) not in page
    assert bob.post(reverse("upload-create"), {"name": "a", "size": 1}).status_code == 403
    for name in ("upload-retry", "upload-delete"):
        assert bob.post(reverse(name, args=[upload.uuid])).status_code == 404


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


def test_deleting_says_so_and_again_is_not_there(cast: Cast, alice: Client) -> None:
    address = reverse("upload-delete", args=[an_upload(cast.alice_corp).uuid])
    assert "“a.jpg” was deleted." in alice.post(address, follow=True).content.decode()
    assert alice.post(address).status_code == 404


def test_a_script_deletes_without_a_word(cast: Cast, alice: Client) -> None:
    address = reverse("upload-delete", args=[an_upload(cast.alice_corp).uuid])
    assert alice.post(address, {"silent": "1"}).status_code == 204
    assert b"was deleted" not in alice.get(reverse("uploads")).content


def test_only_what_is_unfinished_asks_for_news_and_less_often_after_a_while(
    cast: Cast, alice: Client
) -> None:
    old = timezone.now() - BUSY * 2
    asks = {
        an_upload(cast.alice_corp, UploadState.WAITING): "every 1s",
        an_upload(cast.alice_corp, UploadState.PROCESSING, checked_at=old): "every 15s",
        an_upload(cast.alice_corp, UploadState.DONE): "",
        an_upload(cast.alice_corp, UploadState.FAILED, error_code=UploadError.EMPTY): "",
    }
    for upload, trigger in asks.items():
        page = alice.get(reverse("upload", args=[upload.uuid])).content.decode()
        found = re.search(r'hx-trigger="([^"]+)"', page)
        assert (found[1] if found else "") == trigger


def test_deliveries_are_shown_as_one_sum_and_their_days_stay_in_the_database(
    cast: Cast, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = an_upload(cast.alice_corp)
    a_variant(upload)
    for day, preset, count in ((1, "thumb", 3), (2, "thumb", 4), (2, "web", 50)):
        VariantViews.objects.create(
            upload=upload, preset_code=preset, day=date(2026, 3, day), views=count
        )
    monkeypatch.setattr(VariantViews, "from_db", None)  # no row is made of them
    for name, args in (("upload-gallery", []), ("upload", [upload.uuid])):
        page = alice.get(reverse(name, args=args)).content.decode()
        assert re.findall(r'data-testid="views">([^<]+)<', page) == ["7 views"]


def test_the_newest_are_shown_with_a_word_on_the_others(
    cast: Cast, alice: Client, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    for _ in range(SHOWN):
        a_variant(an_upload(cast.alice_corp))
    assert b"are shown" not in alice.get(reverse("uploads")).content
    an_upload(cast.alice_corp, filename="newest.jpg")
    with django_assert_max_num_queries(10):  # type: ignore[attr-defined]
        page = alice.get(reverse("uploads")).content.decode()
    assert page.count('data-testid="upload"') == SHOWN
    assert "newest.jpg" in page
    assert f"The newest {SHOWN} are shown." in page
