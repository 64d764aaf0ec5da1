"""Archives: whole, safe to unpack anywhere, flat in memory, honest about what is missing."""

import re
import tracemalloc

import httpx
import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from conversions import backend
from conversions.archive import LONGEST, Entry, Names, archive
from conversions.backend import BackendUnavailable
from conversions.models import UploadState
from portal.views.uploads import files
from portal.views.uploads.slots import MOST
from tenants.models import Tenant
from tests.cast import Cast
from tests.conversions.archives import sent, unpacked
from tests.conversions.conftest import Post, finish
from tests.conversions.storage import put
from tests.conversions.uploads import a_variant, an_upload
from tests.sessions import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
TOO_MANY = "Other archives are being downloaded."


def test_what_is_there_is_in_it_and_what_is_not_is_named(stack: str) -> None:
    put("variants/a", b"a" * 200_000)
    put("variants/b", b"")
    found = unpacked(
        archive(
            [
                Entry("variants/a", "湖.jpg"), Entry("variants/none", "gone.jpg"),
                Entry("variants/b", "湖.JPG"), Entry("variants/b", "missing.txt"),
            ]
        )
    )  # fmt: skip
    assert found == {
        "湖.jpg": b"a" * 200_000,
        "湖 (2).JPG": b"",
        "missing.txt": b"",
        "missing (2).txt": b"gone.jpg\n",
    }


def test_nothing_there_at_all_is_said_too(stack: str) -> None:
    assert unpacked(archive([Entry("variants/none", "a.jpg")])) == {"missing.txt": b"a.jpg\n"}


def test_where_the_storage_goes_away_the_archive_breaks_off(
    stack: str, request: pytest.FixtureRequest
) -> None:
    pieces = archive([Entry(put("variants/a", b"a"), "a.jpg"), Entry("variants/b", "b.jpg")])
    begun = next(pieces)
    assert begun.startswith(b"PK")
    request.getfixturevalue("storage_away")
    with pytest.raises(BackendUnavailable):
        list(pieces)


def test_memory_stays_flat_however_much_is_sent(stack: str) -> None:
    key = put("variants/large", bytes(8_000_000))
    tracemalloc.start()
    length = sum(map(len, archive([Entry(key, f"{number}.jpg") for number in range(8)])))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length > 64_000_000
    assert peak < 6_000_000


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\a.jpg", "C__a.jpg"),
        ("/a.jpg", "_a.jpg"),
        ("con.jpg", "_con.jpg"),
        ("a\r\nb.jpg", "a__b.jpg"),
        ("...", "file"),
        (".jpg", "jpg"),
        ("e\u0301.jpg", "é.jpg"),
        ("a?.jpg", "a_.jpg"),
    ],
)
def test_a_name_leads_nowhere_else(wish: str, name: str) -> None:
    assert Names().take(wish) == name


@given(st.lists(st.text(max_size=300), max_size=8))
def test_no_two_names_are_the_same_anywhere(wishes: list[str]) -> None:
    names = Names()
    taken = [names.take(wish) for wish in wishes]
    assert len({name.casefold() for name in taken}) == len(wishes)
    for name in taken:
        assert 0 < len(name.encode()) <= LONGEST + 20
        assert not re.search(r'[\x00-\x1f<>:"/\\|?*]', name)
        assert name not in {".", ".."}


def test_all_variants_of_one_come_under_its_name(post: Post, photo: bytes, alice: Client) -> None:
    upload = finish(post(photo))
    answer = alice.get(reverse("uploads-archive"), {"upload": str(upload.uuid), "originals": "1"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="photo.zip"'
    found = sent(answer)
    assert sorted(found) == [
        "photo-avif.avif", "photo-thumb.webp", "photo-web.jpg", "photo.jpg"
    ]  # fmt: skip
    assert found["photo.jpg"] == photo
    variant = upload.conversions.get(preset_code="web")
    assert found["photo-web.jpg"] == httpx.get(backend.link(key=variant.key)).content


def test_a_choice_and_a_search_are_downloaded_whole(
    cast: Cast, tenant: Tenant, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BATCH", 2)
    put("variants/x", b"x")
    mine = [an_upload(tenant, filename=f"{name}.png") for name in ("湖", "湖", "b", "c", "sea")]
    for upload in mine:
        a_variant(upload)
    a_variant(an_upload(cast.charlie_corp, filename="charlies.png"))
    chosen = {"upload": [str(upload.uuid) for upload in mine[:3]]}
    for ask in (alice.get, alice.post):
        answer = ask(reverse("uploads-archive"), chosen)
        assert sorted(sent(answer)) == ["b-thumb.webp", "湖-thumb (2).webp", "湖-thumb.webp"]
    for search, count in (({"q": "sea"}, 1), ({}, 5), ({"state": "done", "kind": "image"}, 5)):
        answer = alice.get(reverse("uploads-archive"), search)
        assert len(sent(answer)) == count


def test_too_much_and_nothing_are_refused_in_words(
    cast: Cast, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 2)
    an_upload(cast.alice_corp, UploadState.WAITING)
    answer = alice.get(reverse("uploads-archive"), {"q": "a"}, follow=True)
    assert "There is nothing to download yet." in answer.content.decode()
    assert answer.redirect_chain[0][0] == f"{reverse('uploads')}?q=a"
    for _ in range(3):
        a_variant(an_upload(cast.alice_corp))
    answer = alice.get(reverse("uploads-archive"), follow=True)
    assert "An archive holds at most 2 files." in answer.content.decode()


def test_a_tenant_downloads_one_archive_at_once_and_holds_up_no_other(
    cast: Cast, stack: str, alice: Client
) -> None:
    a_variant(an_upload(cast.alice_corp))
    a_variant(an_upload(cast.charlie_corp))
    charlie, address = signed_in(cast.charlie), reverse("uploads-archive")
    begun = alice.get(address)
    for _ in range(MOST):
        assert TOO_MANY in alice.get(address, follow=True).content.decode()
    assert len(sent(charlie.get(address))) == 1
    begun.close()
    again = alice.get(address)
    begun.close()  # once more
    assert TOO_MANY in alice.get(address, follow=True).content.decode()
    assert len(sent(again)) == 1


def test_only_so_many_threads_send_archives_and_each_is_free_again(
    cast: Cast, stack: str, alice: Client
) -> None:
    a_variant(an_upload(cast.alice_corp))
    others = range(-MOST, 0)  # no tenant has such an id
    assert all(files.SLOTS.take(each) for each in others)
    answer = alice.get(reverse("uploads-archive"), follow=True)
    assert TOO_MANY in answer.content.decode()
    for each in others:
        files.SLOTS.release(each)
    assert len(sent(alice.get(reverse("uploads-archive")))) == 1


def test_who_may_look_may_download(cast: Cast, stack: str) -> None:
    a_variant(an_upload(cast.alice_corp))
    cast.alice_corp.members.filter(user=cast.bob).update(role="billing")
    answer = signed_in(cast.bob).get(reverse("uploads-archive"))
    answer.close()
