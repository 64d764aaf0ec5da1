"""`/uploads/`: what each person sees and may do, and what it says when something is wrong."""

import re
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversions import services
from conversions.models import (
    Conversion,
    ConversionError,
    ConversionState,
    Upload,
    UploadError,
    UploadState,
    VariantViews,
)
from conversions.services import UNDO_FOR
from conversions.services.uploads import MOST_UNFINISHED
from portal.views.uploads.page import SHOWN
from portal.views.uploads.rows import BUSY
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
    page = alice.get(reverse("uploads")).content.decode()
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
    first, second = (alice.get(reverse("uploads")).content for _ in range(2))
    assert re.findall(rb'src="[^"]+"', first) == re.findall(rb'src="[^"]+"', second) != []


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


def test_only_what_is_unfinished_asks_for_news_and_less_often_after_a_while(
    cast: Cast, alice: Client
) -> None:
    old = timezone.now() - BUSY * 2
    asks = {
        an_upload(cast.alice_corp, UploadState.WAITING).uuid: "1",
        an_upload(cast.alice_corp, UploadState.PROCESSING, checked_at=old).uuid: "15",
        an_upload(cast.alice_corp, UploadState.DONE).uuid: "",
        an_upload(cast.alice_corp, UploadState.FAILED, error_code=UploadError.EMPTY).uuid: "",
    }
    for article in articles(alice.get(reverse("uploads"))):
        found = re.search(r'data-ask-again="([^"]+)"', article)
        assert (found[1] if found else "") == asks[uuid.UUID(id_of(article))]


def test_news_are_what_changed_what_is_new_and_what_is_gone(cast: Cast, alice: Client) -> None:
    same, changed, gone, charlies = (
        an_upload(tenant, UploadState.PROCESSING)
        for tenant in (cast.alice_corp, cast.alice_corp, cast.alice_corp, cast.charlie_corp)
    )
    shown = articles(alice.get(reverse("uploads")))
    known = [f"{id_of(each)}.{value_of(each, 'version')}" for each in shown]
    asked = {
        "known": ",".join([*known, f"{charlies.uuid}.x"]),
        "after": value_of(shown[0], "cursor"),
    }
    assert articles(alice.get(reverse("uploads-news"), asked)) == [
        f'<article id="upload-{charlies.uuid}" data-gone></article>'
    ]
    a_variant(changed)
    Upload.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())
    new = an_upload(cast.alice_corp)
    page = articles(alice.get(reverse("uploads-news"), asked))
    assert [re.findall(r'id="upload-([^"]+)"', each)[0] for each in page[:2]] == [
        str(changed.uuid), str(new.uuid),
    ]  # fmt: skip
    assert {each for each in page if "data-gone" in each} == {
        f'<article id="upload-{each.uuid}" data-gone></article>' for each in (gone, charlies)
    }
    assert str(same.uuid) not in "".join(page)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("uploads-news", {"known": "x.y"}), ("uploads-news", {"after": "x"}),
        ("uploads", {"before": "1"}), ("uploads", {"after": f"{10**30}-1"}),
    ],
)  # fmt: skip
def test_an_address_that_was_tampered_with_is_refused(
    cast: Cast, alice: Client, name: str, query: dict[str, str]
) -> None:
    assert alice.get(reverse(name), query).status_code == 400


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
    page = alice.get(reverse("uploads")).content.decode()
    assert re.findall(r'data-testid="views">([^<]+)<', page) == ["7 views"]


def test_a_page_is_turned_with_its_search_and_costs_as_many_queries_as_the_first(
    cast: Cast, alice: Client, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    for _ in range(SHOWN + 1):
        a_variant(an_upload(cast.alice_corp))
    an_upload(cast.alice_corp, filename="newest.png")
    address, seen = f"{reverse('uploads')}?q=jpg&state=done", list[str]()
    alice.get(address)  # her first one notes where she is signed in
    for _page in range(2):
        with django_assert_max_num_queries(14):  # type: ignore[attr-defined]
            page = alice.get(address)
        seen += map(id_of, articles(page))
        found = re.search(r'rel="next" href="([^"]+)"', page.content.decode())
        assert found
        address = reverse("uploads") + found[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == SHOWN + 1
    back = re.search(r'rel="prev" href="([^"]+)"', page.content.decode())
    assert back
    newer = alice.get(reverse("uploads") + back[1].replace("&amp;", "&"))
    assert list(map(id_of, articles(newer))) == seen[:SHOWN]


def test_nothing_yet_and_nothing_found_say_what_to_do(cast: Cast, alice: Client) -> None:
    page = alice.get(reverse("uploads")).content.decode()
    assert "No files yet" in page
    assert "curl --fail-with-body" in page
    an_upload(cast.alice_corp)
    page = alice.get(reverse("uploads"), {"q": "nothing"}).content.decode()
    assert "Nothing was found" in page
    assert "Clear the search" in page
    search = {"q": "a", "state": "nonsense", "kind": "nonsense"}
    assert len(articles(alice.get(reverse("uploads"), search))) == 1


def test_each_variant_is_shown_as_it_is(cast: Cast, alice: Client) -> None:
    services.presets_seed(now=timezone.now())
    upload = an_upload(cast.alice_corp, UploadState.PROCESSING, bytes=100, variants_expected=3)
    waits = alice.get(reverse("uploads")).content.decode()
    assert waits.count('data-testid="variant-waiting"') == 3  # by the presets there are
    assert 'viewBox="0 0 200 200"' in waits
    a_variant(upload)
    for code, state, error in (
        ("web", ConversionState.FAILED, ConversionError.OUT_OF_MEMORY),
        ("avif", ConversionState.WAITING, ""),
    ):
        Conversion.objects.create(
            upload=upload, preset_code=code, preset_version=1, state=state, error_code=error
        )
    page = alice.get(reverse("uploads")).content.decode()
    assert re.findall(r'data-testid="(variant[^"]*)"', page) == [
        "variant", "variant-failed", "variant-waiting",
    ]  # fmt: skip
    assert str(ConversionError.OUT_OF_MEMORY.label) in page
    assert "1 of 3 variants are ready." in page
    assert "saved 95 %" in page


@pytest.mark.parametrize(
    ("declared_type", "format", "awaited"),
    [
        ("image/png", "", ["thumb", "web", "avif"]),
        ("", "", ["thumb", "web", "avif"]),
        ("application/pdf", "", ["pdf-page"]),
        ("text/csv", "", ["utf8", "json", "csv"]),
        ("application/json", "", ["utf8", "json", "csv"]),
        ("text/csv", "PNG", ["thumb", "web", "avif"]),  # its bytes know better
    ],
)  # fmt: skip
def test_what_a_file_is_said_to_be_tells_which_variants_to_await(
    cast: Cast, alice: Client, declared_type: str, format: str, awaited: list[str]
) -> None:
    services.presets_seed(now=timezone.now())
    an_upload(cast.alice_corp, UploadState.PROCESSING, declared_type=declared_type, format=format)
    page = alice.get(reverse("uploads")).content.decode()
    assert re.findall(r'id="variant-[0-9a-f-]{36}-([a-z0-9-]+)"', page) == awaited


def test_a_variant_that_is_made_anew_is_shown_until_the_new_one_is_there(
    cast: Cast, alice: Client
) -> None:
    upload = an_upload(cast.alice_corp)
    old = a_variant(upload)
    new = Conversion.objects.create(upload=upload, preset_code="thumb", preset_version=2)
    address = reverse("upload-variant", args=[upload.uuid, old.pk])
    assert address in alice.get(reverse("uploads")).content.decode()
    Conversion.objects.filter(pk=new.pk).update(state=ConversionState.DONE, format="webp", bytes=1)
    page = alice.get(reverse("uploads")).content.decode()
    assert address not in page
    assert reverse("upload-variant", args=[upload.uuid, new.pk]) in page


def test_an_original_is_shown_only_where_browsers_can(
    cast: Cast, alice: Client, stack: str
) -> None:
    shown = an_upload(cast.alice_corp, format="JPEG", bytes=9)
    saved = an_upload(cast.alice_corp, format="TIFF", filename="湖.tiff", bytes=9)
    for upload, query in ((shown, "response-content-type=image%2Fjpeg"), (saved, "attachment")):
        answer = alice.get(reverse("upload-source", args=[upload.uuid]))
        assert query in answer.headers["Location"]
    assert "%25E6%25B9%2596.tiff" in answer.headers["Location"]  # by RFC 6266


@pytest.mark.parametrize(
    ("state", "found"),
    [
        (UploadState.WAITING, {}),
        (UploadState.FAILED, {"error_code": UploadError.NEVER_ARRIVED}),
        (UploadState.FAILED, {"error_code": UploadError.DAMAGED, "bytes": 9}),
    ],
)  # fmt: skip
def test_an_original_that_has_not_come_is_not_offered(
    cast: Cast, alice: Client, stack: str, state: str, found: dict[str, Any]
) -> None:
    address = reverse("upload-source", args=[an_upload(cast.alice_corp, state, **found).uuid])
    page = alice.get(reverse("uploads")).content.decode()
    assert (f"{address}?download" in page) == ("bytes" in found)
    assert ("9\xa0bytes" in page) == ("bytes" in found)
    assert alice.get(address).status_code == (302 if "bytes" in found else 404)


def test_a_name_is_kept_and_downloaded_without_what_nobody_sees(
    cast: Cast, alice: Client, stack: str
) -> None:
    name = "a\r\nb\u202egpj.ex\0e"
    assert alice.post(reverse("upload-create"), {"name": name, "size": "1"}).status_code == 200
    assert Upload.objects.get().filename == "abgpj.exe"
    persian = "می\u200cخواهم.jpg"  # where the joiner is a matter of spelling
    assert services.uploads.storable(persian, most=255) == persian
    old = an_upload(cast.alice_corp, filename=name.replace("\0", ""), bytes=9)
    answer = alice.get(reverse("upload-source", args=[old.uuid]), {"download": ""})
    asked_of_s3 = parse_qs(urlsplit(answer.headers["Location"]).query)
    (disposition,) = asked_of_s3["response-content-disposition"]
    assert disposition == 'attachment; filename="a__b_gpj.exe"'


def articles(page: Any) -> list[str]:
    return re.findall(r"<article.*?</article>", page.content.decode(), re.DOTALL)


def id_of(article: str) -> str:
    return value_of(article, "id")


def value_of(article: str, name: str) -> str:
    found = re.search(rf'data-{name}="([^"]+)"', article)
    assert found
    return found[1]
