"""Links for others: signed ones end, public ones can be ended; neither lets anybody see more."""

import re
import uuid
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversions import services
from conversions.links import SALT, Link
from conversions.models import Conversion, Upload
from portal.views.uploads.snippets import snippets
from tenants.models import AuditEntry
from tests.cast import Cast
from tests.conversions.conftest import Post, finish
from tests.conversions.uploads import a_variant, an_upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def upload(post: Post, photo: bytes) -> Upload:
    return finish(post(photo))


def links_in(page: Any) -> list[str]:
    shown = re.findall(r'data-testid="link">([^<]+)<', page.content.decode())
    return [address.removeprefix("http://localhost:8000") for address in shown]


def follow(address: str) -> Any:
    """Open an address as anybody may."""
    return Client().get(address)


def test_whoever_has_a_link_sees_the_variant_until_it_is_over(
    upload: Upload, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = alice.post(reverse("upload-links", args=[upload.uuid]), {"lifetime": "hour"})
    links = links_in(page)
    assert len(links) == 3
    for link in links:
        answer = follow(link)
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["Cache-Control"] == "private, max-age=1800"
        shown = httpx.get(answer.headers["Location"])
        assert shown.headers["Content-Type"].startswith("image/")
    stand_at(monkeypatch, timezone.now() + timedelta(minutes=59))
    answer = follow(links[0])
    assert answer.status_code == 302
    assert 0 < int(answer.headers["Cache-Control"].removeprefix("private, max-age=")) <= 60
    stand_at(monkeypatch, timezone.now() + timedelta(minutes=2))
    answer = follow(links[0])
    assert answer.status_code == 410
    assert b"This link has ended" in answer.content
    assert answer.headers["X-Robots-Tag"] == "noindex"
    entry = AuditEntry.objects.get(action="upload.linked")
    assert (entry.target, entry.actor) == ("photo.jpg", Upload.objects.get().created_by)


def stand_at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: moment)


def test_a_link_ends_with_its_upload_and_comes_back_with_it(
    upload: Upload, cast: Cast, alice: Client
) -> None:
    now = timezone.now()
    page = alice.post(reverse("upload-links", args=[upload.uuid]), {"lifetime": "month"})
    services.upload_publish(upload=upload, is_public=True, actor=cast.alice, now=now)
    page_of_public = alice.get(reverse("upload-links", args=[upload.uuid]))
    links = [*links_in(page), *links_in(page_of_public)]
    assert [follow(link).status_code for link in links] == [302] * 6
    services.upload_delete(upload=upload, actor=cast.alice, now=now)
    assert [follow(link).status_code for link in links] == [404] * 6
    services.upload_restore(upload=upload, actor=cast.alice, now=now)
    assert [follow(link).status_code for link in links] == [302] * 6


@pytest.mark.parametrize(
    "token",
    [
        "none",
        signing.dumps([1, 9_999_999_999], salt="another"),
        Link(uuid.uuid4(), "thumb", 1, timezone.now()).sign()[:-1],
        Link(uuid.uuid4(), "thumb", 1, timezone.now() + timedelta(days=1)).sign(),
    ],
    ids=["no token", "another salt", "cut short", "no upload"],
)
def test_what_we_never_signed_or_is_not_there_is_a_404(db: None, token: str) -> None:
    assert follow(reverse("signed-link", args=[token])).status_code == 404


def test_a_link_says_no_more_than_it_must() -> None:
    link = Link(uuid.uuid4(), "thumb", 7, timezone.now().replace(microsecond=0))
    assert Link.read(link.sign()) == link
    assert signing.loads(link.sign(), salt=SALT) == [
        link.upload_id.hex, "thumb", 7, int(link.until.timestamp()),
    ]  # fmt: skip


def test_a_link_leads_to_nobody_elses_file_where_an_id_comes_again(
    cast: Cast, alice: Client, stack: str
) -> None:
    upload = an_upload(cast.alice_corp)
    variant = a_variant(upload)
    page = alice.post(reverse("upload-links", args=[upload.uuid]), {"lifetime": "month"})
    (link,) = links_in(page)
    assert follow(link).status_code == 302
    upload.delete()  # as a database is without it that was restored from a backup
    other = a_variant(an_upload(cast.charlie_corp))
    Conversion.objects.filter(pk=other.pk).update(id=variant.pk)
    assert follow(link).status_code == 404


def test_an_unknown_lifetime_is_a_404(cast: Cast, alice: Client) -> None:
    address = reverse("upload-links", args=[an_upload(cast.alice_corp).uuid])
    assert alice.post(address, {"lifetime": "for ever"}).status_code == 404
    assert alice.post(address).status_code == 404


def test_a_public_address_stays_and_leads_to_the_newest_until_it_is_switched_off(
    upload: Upload, alice: Client
) -> None:
    switch = reverse("upload-public", args=[upload.uuid])
    links = links_in(alice.post(switch, {"on": "on"}))
    assert links == links_in(alice.post(switch, {"on": "on"}))
    upload.refresh_from_db()
    assert links[2] == f"/p/{upload.public_id}/web"
    first, again = follow(links[2]), follow(links[2])
    assert first.headers["Cache-Control"] == "public, max-age=60"
    assert first.headers["X-Robots-Tag"] == "noindex"
    assert first.headers["Location"] == again.headers["Location"]  # so that caches keep the file
    assert not first.cookies
    shown = httpx.get(first.headers["Location"])
    assert shown.headers["Cache-Control"] == "public, max-age=1800"
    web = upload.conversions.get(preset_code="web")
    assert len(shown.content) == web.bytes
    avif = upload.conversions.get(preset_code="avif")
    Conversion.objects.create(
        upload=upload, preset_code="web", preset_version=2, state="done", key=avif.key
    )
    Conversion.objects.create(upload=upload, preset_code="web", preset_version=3)
    newest = httpx.get(follow(links[2]).headers["Location"])
    assert len(newest.content) == avif.bytes
    assert links_in(alice.post(switch)) == []
    assert [follow(link).status_code for link in links] == [404] * 3
    others = links_in(alice.post(switch, {"on": "on"}))
    assert not set(others) & set(links)
    actions = AuditEntry.objects.filter(action__endswith="published").order_by("id")
    assert [entry.action for entry in actions] == [
        "upload.published", "upload.unpublished", "upload.published",
    ]  # fmt: skip


def test_nothing_lists_what_is_public_nor_leads_to_the_original(
    cast: Cast, alice: Client, stack: str
) -> None:
    upload = an_upload(cast.alice_corp, public_id=uuid.uuid4())
    a_variant(upload)
    for rest in ("", "/", "/source", "/none"):
        assert follow(f"/p/{upload.public_id}{rest}").status_code == 404
    assert follow(f"/p/{uuid.uuid4()}/thumb").status_code == 404
    assert follow(f"/p/{upload.uuid}/thumb").status_code == 404
    assert follow(f"/p/{upload.public_id}/thumb").status_code == 302
    assert Client().post(f"/p/{upload.public_id}/thumb").status_code == 405


def test_where_storage_cannot_be_reached_links_say_so(cast: Cast, storage_away: None) -> None:
    upload = an_upload(cast.alice_corp, public_id=uuid.uuid4())
    a_variant(upload)
    signed = Link(upload.uuid, "thumb", 1, timezone.now() + timedelta(days=1)).sign()
    for address in (f"/p/{upload.public_id}/thumb", f"/s/{signed}"):
        assert follow(address).status_code == 503


def variant_of(upload: Upload, code: str, kind: str, width: int | None, height: int | None) -> int:
    return Conversion.objects.create(
        upload=upload, preset_code=code, preset_version=1, state="done", key=code, format=kind,
        width=width, height=height, bytes=1,
    ).pk  # fmt: skip


def test_what_is_pasted_offers_each_format_and_width_and_cannot_break_out(cast: Cast) -> None:
    upload = an_upload(cast.alice_corp, filename='a "b" ](x) <i>.jpg')
    codes = {
        variant_of(upload, code, kind, width, height): f"https://x/{code}?a&b"
        for code, kind, width, height in (
            ("thumb", "webp", 200, 200), ("s", "jpg", 320, 213), ("l", "jpg", 1280, 853),
            ("w", "webp", 1280, 853), ("avif", "avif", 640, 427),
        )
    }  # fmt: skip
    made = snippets(upload, codes)
    assert made is not None
    assert made.html == (
        "<picture>\n"
        '  <source type="image/avif" media="(max-width: 640px)"'
        ' srcset="https://x/avif?a&amp;b 640w" sizes="100vw">\n'
        '  <source type="image/webp" srcset="https://x/w?a&amp;b 1280w" sizes="100vw">\n'
        '  <img src="https://x/l?a&amp;b"'
        ' srcset="https://x/s?a&amp;b 320w, https://x/l?a&amp;b 1280w"'
        ' sizes="100vw" width="1280" height="853"'
        ' alt="a &quot;b&quot; ](x) &lt;i&gt;" loading="lazy">\n'
        "</picture>"
    )
    assert made.markdown == '![a "b" \\](x) <i>](https://x/l?a&b)'


def test_texts_are_linked_but_no_picture(cast: Cast) -> None:
    upload = an_upload(cast.alice_corp, filename="a.csv", file_type="text")
    key = variant_of(upload, "json", "json", None, None)
    made = snippets(upload, {key: "https://x"})
    assert made is not None
    assert (made.html, made.markdown, len(made.addresses)) == ("", "", 1)
    assert snippets(upload, {}) is None
