"""`/uploads/`: how files, originals and variants are shown, searched, paged and kept up to date."""

import re
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
from portal.views.uploads.page import SHOWN
from portal.views.uploads.rows import BUSY
from tests.cast import Cast
from tests.conversions.uploads import a_variant, an_upload

pytestmark = pytest.mark.django_db(transaction=True)


def test_addresses_of_pictures_stay_the_same(cast: Cast, alice: Client) -> None:
    a_variant(an_upload(cast.alice_corp))
    first, second = (alice.get(reverse("uploads")).content for _ in range(2))
    assert re.findall(rb'src="[^"]+"', first) == re.findall(rb'src="[^"]+"', second) != []


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
