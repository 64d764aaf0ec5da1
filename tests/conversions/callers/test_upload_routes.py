"""What callers do with uploads by the API, and what the portal makes of it, in whatever order."""

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from conversions import backend, services
from conversions.models import Preset, Upload, UploadError, UploadState
from conversions.names import listing_place
from conversions.serverless.functions import listing, records
from conversions.services.uploads import ABANDONED_AFTER, LOOK_AFTER, PURGE_AFTER
from tenants.models import AuditEntry, Tenant
from tests.cast import Cast
from tests.conversions.callers.conftest import converted, until, uploaded
from tests.conversions.conftest import PATIENCE, Post, finish

pytestmark = pytest.mark.django_db(transaction=True)
Report = dict[str, Any]


def reports(upload: str, *kinds: str) -> list[Report]:
    """Take reports off their queue until all of these kinds are there of an upload; return those
    that are there of it.
    """
    found: list[Report] = []
    for _ in range(PATIENCE):
        for result in backend.results_receive(wait_seconds=1):
            if upload in result.text:  # else an earlier test's
                found.append(result.body)
            backend.result_delete(result=result)
        if Counter(kinds) <= Counter(each["kind"] for each in found):
            return found
    pytest.fail(f"There are only {found}.")


def apply(*bodies: Report) -> None:
    for body in bodies:
        services.result_apply(body=body, now=timezone.now())


def made(caller: httpx.Client, **asked: Any) -> str:
    """Ask for an upload whose file never comes; return its id."""
    answer = caller.post("/v1/uploads", json={"filename": "barrier.jpg", **asked})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def state(caller: httpx.Client, upload: str) -> Any:
    answer = caller.get(f"/v1/uploads/{upload}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def public(caller: httpx.Client, upload: str, is_public: bool) -> Any:
    answer = caller.patch(f"/v1/uploads/{upload}", json={"public": is_public})
    assert answer.status_code == 200, answer.text
    assert answer.json()["public"] is is_public
    return answer.json()


# --- Looking after one ---


def test_an_upload_says_what_its_file_is_and_where(alice: httpx.Client, photo: bytes) -> None:
    waiting = state(alice, made(alice))
    nothing = ("file_type", "format", "width", "height", "bytes", "source_url", "error")
    assert {waiting[name] for name in nothing} == {None}
    assert waiting["created_at"].endswith("+00:00")
    body = converted(alice, uploaded(alice, photo, presets=["thumb"]))
    assert (body["file_type"], body["width"], body["height"]) == ("image", 1600, 1200)
    assert (body["bytes"], body["expected"], body["made"]) == (len(photo), 1, 1)
    assert httpx.get(body["source_url"]).content == photo
    (thumb,) = body["variants"]
    assert thumb["saved"] == len(photo) - thumb["bytes"]
    assert (thumb["public_url"], body["failed"]) == (None, [])


def test_of_each_preset_the_newest_version_is_listed_and_counted(
    alice: httpx.Client, tenant: Tenant, photo: bytes
) -> None:
    upload = uploaded(alice, photo, presets=["thumb"])
    converted(alice, upload)
    preset = Preset.objects.get(code="thumb")
    preset.width = 100
    services.preset_save(preset=preset, now=timezone.now())
    services.tenant_publish(tenant=tenant, now=timezone.now())
    answer = alice.post("/v1/jobs", json={"uploads": [upload], "presets": ["thumb"]})
    assert answer.status_code == 202, answer.text
    body = until(
        lambda: alice.get(f"/v1/uploads/{upload}"),
        lambda it: 100 in [variant["width"] for variant in it["variants"]],
    )
    assert [(it["preset"], it["width"]) for it in body["variants"]] == [("thumb", 100)]
    assert (body["state"], body["expected"], body["made"]) == ("done", 1, 1)


def test_a_file_is_saved_whatever_its_uploader_said_that_it_is(
    alice: httpx.Client, photo: bytes
) -> None:
    asked = {"filename": "湖's.html", "content_type": "text/html", "presets": ["thumb"]}
    answer = httpx.get(converted(alice, uploaded(alice, photo, **asked))["source_url"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename*=UTF-8''%E6%B9%96%27s.html"
    assert answer.content == photo


def test_a_file_that_never_comes_is_told_to_whoever_asks(alice: httpx.Client) -> None:
    upload = made(alice)
    apply(*reports(upload, "created"))
    services.uploads_sweep(now=timezone.now() + ABANDONED_AFTER + LOOK_AFTER)
    body = state(alice, upload)
    assert (body["state"], body["error"]["code"]) == ("failed", "never_arrived")


def test_a_refusal_that_is_the_first_to_be_heard_of_makes_the_row(alice: httpx.Client) -> None:
    upload = uploaded(alice, b"\0 is no kind of file")
    found = reports(upload, "created", "refused")
    apply(*(each for each in found if each["kind"] == "refused"))
    row = Upload.objects.get(uuid=upload)
    assert (row.filename, row.error_code) == ("barrier.jpg", UploadError.NOT_SUPPORTED)


# --- Lists ---


@pytest.fixture
def shelf(tenant: Tenant, on_lambda: None) -> Callable[[int], str]:
    """Note uploads of Alice's tenant, as of this many seconds after the first one."""
    start = timezone.now()

    def note(seconds: int) -> str:
        upload, now = str(uuid.uuid4()), start + timedelta(seconds=seconds)
        records.upload_create(
            tenant=str(tenant.uuid), upload=upload, filename="a.jpg", presets=None,
            created_at=now.isoformat(), listed=listing_place(upload=upload, created_at=now),
        )  # fmt: skip
        return upload

    return note


def listed(caller: httpx.Client, **asked: Any) -> Any:
    answer = caller.get("/v1/uploads", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(page: Any) -> list[str]:
    return [each["id"] for each in page["uploads"]]


def test_pages_have_no_doubles_and_no_gaps_while_uploads_come_and_go(
    alice: httpx.Client, charlie: httpx.Client, shelf: Callable[[int], str]
) -> None:
    # Two at each moment: then their ids decide.
    there = sorted(((number // 2, shelf(number // 2)) for number in range(8)), reverse=True)
    expected = [upload for _seconds, upload in there]
    page = listed(alice, limit=3)
    seen = ids(page)
    shelf(60)  # newer than where the page ends
    assert alice.delete(f"/v1/uploads/{expected[2]}").status_code == 204  # where it ends
    assert alice.delete(f"/v1/uploads/{expected[4]}").status_code == 204
    while page["next_cursor"]:
        page = listed(alice, limit=3, cursor=page["next_cursor"])
        seen += ids(page)
    assert seen == [upload for upload in expected if upload != expected[4]]
    assert listed(charlie) == {"uploads": [], "next_cursor": None}


def test_a_page_that_is_just_full_is_the_last_one(
    alice: httpx.Client, shelf: Callable[[int], str]
) -> None:
    expected = [shelf(seconds) for seconds in (2, 1)]
    page = listed(alice, limit=2)
    assert (ids(page), page["next_cursor"]) == (expected, None)


def test_those_in_one_state_are_found_among_many_others(
    alice: httpx.Client,
    shelf: Callable[[int], str],
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uploads = [shelf(seconds) for seconds in range(6)]
    for upload in (uploads[0], uploads[4]):
        records.upload_failed(tenant=str(tenant.uuid), upload=upload, code="empty", text="Empty.")
    assert ids(listed(alice, state="failed")) == [uploads[4], uploads[0]]
    first = listed(alice, state="failed", limit=1)
    assert (ids(first), first["uploads"][0]["error"]["code"]) == ([uploads[4]], "empty")
    assert ids(listed(alice, state="failed", cursor=first["next_cursor"])) == [uploads[0]]
    # A call looks through so many, and the next one goes on from there.
    monkeypatch.setattr(listing, "MOST_READ", 2)
    monkeypatch.setattr(listing, "MOST_LOOKED_THROUGH", 4)
    mine = str(tenant.uuid)
    found, cursor = listing.page(tenant=mine, limit=9, before=None, state="failed")
    assert [item["sk"] for item in found] == [f"upload#{uploads[4]}"]
    found, cursor = listing.page(tenant=mine, limit=9, before=cursor, state="failed")
    assert ([item["sk"] for item in found], cursor) == ([f"upload#{uploads[0]}"], None)


def test_an_upload_of_the_browsers_is_listed_with_its_name(
    alice: httpx.Client, post: Post, photo: bytes
) -> None:
    upload = post(photo)
    services.uploads_tell()
    (found,) = listed(alice)["uploads"]
    assert (found["id"], found["filename"]) == (str(upload.uuid), "photo.jpg")
    assert found["created_at"] == upload.created_at.isoformat()
    finish(upload)
    assert state(alice, str(upload.uuid))["state"] == "done"
    assert ids(listed(alice, state="done")) == [str(upload.uuid)]


@pytest.mark.parametrize(
    "asked",
    [{"limit": "0"}, {"limit": "101"}, {"state": "lost"}, {"cursor": "0-0"}, {"stat": "done"}],
)
def test_a_list_of_what_makes_no_sense_is_refused(
    alice: httpx.Client, asked: dict[str, str]
) -> None:
    answer = alice.get("/v1/uploads", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request_parameters")
    assert next(iter(asked)) in answer.json()["message"]


def test_names_are_searched_by_the_portals_own_api(
    alice: httpx.Client, charlie: httpx.Client, portal: None
) -> None:
    upload = made(alice)
    apply(*reports(upload, "created"))
    for caller, name, expected in (
        (alice, "BARR", [upload]), (alice, "gate", []), (charlie, "barr", []),
    ):  # fmt: skip
        answer = caller.get("/v1/account/uploads", params={"q": name})
        assert (answer.status_code, ids(answer.json())) == (200, expected)
    summary = alice.get("/v1/account/uploads").json()["uploads"][0]
    assert summary.keys() == listed(alice)["uploads"][0].keys() | {"kept_until"}


# --- Deleting ---


def deleted(caller: httpx.Client, upload: str) -> None:
    """Delete an upload, twice; it is not there at once."""
    for _ in range(2):
        answer = caller.delete(f"/v1/uploads/{upload}", headers={"Origin": "https://shop.example"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
    assert caller.get(f"/v1/uploads/{upload}").status_code == 404
    assert caller.patch(f"/v1/uploads/{upload}", json={"public": True}).status_code == 404
    assert ids(listed(caller)) == []


def test_what_is_done_is_deleted_with_its_objects(alice: httpx.Client, photo: bytes) -> None:
    upload = uploaded(alice, photo, presets=["thumb"])
    body = converted(alice, upload)
    links = [body["source_url"], body["variants"][0]["url"]]
    apply(*reports(upload, "created", "variant"))
    deleted(alice, upload)
    apply(*reports(upload, "deleted"))
    row = Upload.objects.get(uuid=upload)
    assert (row.state, row.deleted_at is None) == (UploadState.DONE, False)
    entry = AuditEntry.objects.get(action="upload.deleted")
    assert (entry.actor, entry.target, entry.data) == (None, "barrier.jpg", {"key": "default"})
    assert row.deleted_at is not None
    services.uploads_sweep(now=row.deleted_at + PURGE_AFTER)
    assert [httpx.get(link).status_code for link in links] == [404, 404]
    # A mark stays, so that it is not there, and can be deleted again.
    deleted(alice, upload)


def test_what_waits_for_its_file_is_deleted_and_a_file_that_comes_does_not_bring_it_back(
    alice: httpx.Client, photo: bytes
) -> None:
    answer = alice.post("/v1/uploads", json={"filename": "barrier.jpg"}).json()
    upload, form = answer["id"], answer["form"]
    deleted(alice, upload)
    httpx.post(form["url"], data=form["fields"], files={"file": photo}).raise_for_status()
    # The state machine finds it deleted; that makes no row, and no item, either.
    apply(*reports(upload, "created", "deleted", "failed"))
    assert Upload.objects.get(uuid=upload).deleted_at is not None
    assert alice.get(f"/v1/uploads/{upload}").status_code == 404


def test_late_reports_bring_nothing_back(alice: httpx.Client, photo: bytes) -> None:
    upload = uploaded(alice, photo, presets=["thumb"])
    converted(alice, upload)
    deleted(alice, upload)
    found = reports(upload, "created", "started", "variant", "deleted")
    gone = [each for each in found if each["kind"] == "deleted"]
    late = [each for each in found if each["kind"] != "deleted"]
    apply(*gone, *late, *gone)  # the first that the portal hears of it
    row = Upload.objects.get(uuid=upload)
    assert (row.deleted_at is not None, row.filename) == (True, "barrier.jpg")
    assert AuditEntry.objects.filter(action="upload.deleted").count() == 1


def test_a_deletion_that_comes_again_does_not_take_back_that_it_was_undone(
    alice: httpx.Client, cast: Cast
) -> None:
    upload = made(alice)
    deleted(alice, upload)
    found = reports(upload, "created", "deleted")
    # The functions' clock is ahead of the portal's.
    ahead = timezone.now() - timedelta(minutes=1)
    for report in found:
        services.result_apply(body=report, now=ahead)
    row = Upload.objects.get(uuid=upload)
    services.upload_restore(upload=row, actor=cast.alice, now=ahead)
    apply(*found)
    services.uploads_tell()
    assert state(alice, upload)["state"] == "waiting"
    row.refresh_from_db()
    assert (row.deleted_at, row.known_revision) == (None, row.revision)


def test_what_is_being_converted_is_deleted_and_nothing_is_written_of_it(
    alice: httpx.Client, tenant: Tenant, photo: bytes, on_lambda: None
) -> None:
    upload = uploaded(alice, photo)
    until(lambda: alice.get(f"/v1/uploads/{upload}"), lambda it: it["state"] != "waiting")
    deleted(alice, upload)
    with pytest.raises(records.Deleted):
        records.variant_made(tenant=str(tenant.uuid), upload=upload, name="late.webp", variant={})
    assert records.upload(tenant=str(tenant.uuid), upload=upload) == {}
    apply(*reports(upload, "created", "started", "deleted"))
    assert Upload.objects.get(uuid=upload).deleted_at is not None


def test_a_job_finds_nothing_of_what_is_deleted(alice: httpx.Client, photo: bytes) -> None:
    upload = uploaded(alice, photo, presets=["thumb"])
    converted(alice, upload)
    deleted(alice, upload)
    job = alice.post("/v1/jobs", json={"uploads": [upload]}).json()["id"]
    outcome = until(lambda: alice.get(f"/v1/jobs/{job}"), lambda it: True)
    assert outcome["refused"] == {upload: "You have no upload with this id."}


def test_a_strangers_upload_is_not_there(alice: httpx.Client, charlie: httpx.Client) -> None:
    upload = made(alice, public=True)
    for nobodys in (upload, str(uuid.uuid4()), "none"):
        answers = [
            charlie.get(f"/v1/uploads/{nobodys}"),
            charlie.patch(f"/v1/uploads/{nobodys}", json={"public": False}),
            charlie.delete(f"/v1/uploads/{nobodys}"),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.json()["code"] for answer in answers} == {"not_found"}
    assert state(alice, upload)["public"] is True


# --- Sharing ---


def test_variants_of_a_public_upload_have_an_address_for_everybody(
    alice: httpx.Client, photo: bytes
) -> None:
    upload = uploaded(alice, photo, presets=["thumb"], public=True)
    (thumb,) = converted(alice, upload)["variants"]
    apply(*reports(upload, "created", "published", "variant"))
    row = Upload.objects.get(uuid=upload)
    assert thumb["public_url"] == f"{settings.SITE_URL}/p/{row.public_id}/thumb"
    # Anybody is led on by the portal.
    led_to = Client().get(urlsplit(thumb["public_url"]).path).headers["Location"]
    assert len(httpx.get(led_to).content) == thumb["bytes"]
    assert public(alice, upload, True)["variants"][0]["public_url"] == thumb["public_url"]
    assert public(alice, upload, False)["variants"][0]["public_url"] is None
    again = public(alice, upload, True)["variants"][0]["public_url"]
    assert again not in (None, thumb["public_url"])


@pytest.mark.parametrize("is_public", [True, False])
def test_the_newest_change_wins_in_whatever_order_reports_come(
    alice: httpx.Client, is_public: bool
) -> None:
    upload = made(alice, public=is_public)
    public(alice, upload, not is_public)
    public(alice, upload, is_public)
    kinds = ["published", "unpublished"] + ["published"] * is_public
    found = reports(upload, "created", *kinds)
    changes = [each for each in found if each["kind"] != "created"]
    apply(*reversed(found), *changes)
    row = Upload.objects.get(uuid=upload)
    assert (row.public_id is not None) is is_public
    services.uploads_tell()  # as the functions know already
    assert state(alice, upload)["public"] is is_public
    entries = AuditEntry.objects.filter(action="upload.published")
    assert [entry.data for entry in entries] == [{"key": "default"}] * is_public


def test_what_people_change_is_known_to_callers_and_the_other_way_round(
    alice: httpx.Client, cast: Cast
) -> None:
    upload = made(alice, public=True)
    apply(*reports(upload, "created", "published"))
    row = Upload.objects.get(uuid=upload)
    services.upload_publish(upload=row, is_public=False, actor=cast.alice, now=timezone.now())
    services.uploads_tell()
    assert state(alice, upload)["public"] is False
    public(alice, upload, True)
    apply(*reports(upload, "published"))
    row.refresh_from_db()
    assert row.public_id is not None
    services.upload_delete(upload=row, actor=cast.alice, now=timezone.now())
    services.uploads_tell()
    assert alice.get(f"/v1/uploads/{upload}").status_code == 404
    services.upload_restore(upload=row, actor=cast.alice, now=timezone.now())
    services.uploads_tell()
    assert state(alice, upload)["public"] is True
    assert ids(listed(alice)) == [upload]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"public": 1}', '{"public": true, "x": 1}'])
def test_a_change_that_makes_no_sense_is_refused(alice: httpx.Client, body: str) -> None:
    upload = made(alice)
    for content_type in ("application/json", "text/plain"):
        headers = {"Content-Type": content_type}
        answer = alice.patch(f"/v1/uploads/{upload}", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request_body"), body


def test_browsers_may_call_from_any_page(stack: str) -> None:
    for path, methods in (("", "GET,POST"), (f"/{uuid.uuid4()}", "DELETE,GET,PATCH")):
        answer = httpx.options(f"{stack}/v1/uploads{path}")
        assert answer.headers["access-control-allow-methods"] == f"{methods},OPTIONS"
