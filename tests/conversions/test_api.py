"""The management API of uploads: what is listed and searched, and what a program changes."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversions.models import (
    Conversion,
    ConversionState,
    Retention,
    Upload,
    UploadError,
    UploadState,
)
from tenants.models import ApiKeyVersion, Tenant, User, VersionStatus
from tenants.scopes import Scope
from tenants.services import api_token_create
from tests.cast import PASSWORD, Cast
from tests.conversions.conftest import finish

pytestmark = pytest.mark.django_db
NOW = timezone.now()
ALL = "/api/v1/uploads/"


@pytest.fixture
def alice(cast: Cast) -> Client:
    client = Client()
    client.login(username="alice@example.com", password=PASSWORD)
    return client


def make(tenant: Tenant, name: str, **values: Any) -> Upload:
    return Upload.objects.create(tenant=tenant, filename=name, **{"created_at": NOW, **values})


def names(client: Client, **asked: str | int) -> list[str]:
    return [each["filename"] for each in listed(client, **asked)["uploads"]]


def listed(client: Client, **asked: str | int) -> Any:
    answer = client.get("/api/v1/uploads/", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_an_upload_says_what_its_file_is_and_how_far_it_is(cast: Cast, alice: Client) -> None:
    done = make(
        cast.alice_corp, "a.jpg", state=UploadState.DONE, format="JPEG", width=4, height=3, bytes=9,
        variants_expected=1,
    )  # fmt: skip
    for version in (1, 2):  # the newest counts
        Conversion.objects.create(
            upload=done, preset_code="web", preset_version=version, state=ConversionState.DONE
        )
    failed = make(
        cast.alice_corp, "b.jpg", state=UploadState.FAILED, error_code=UploadError.EMPTY,
        created_at=NOW - timedelta(hours=1),
    )  # fmt: skip
    first, second = listed(alice)["uploads"]
    assert first == {
        "id": str(done.uuid), "state": "done", "filename": "a.jpg",
        "created_at": NOW.isoformat().replace("+00:00", "Z"), "file_type": "image",
        "format": "JPEG", "width": 4, "height": 3, "bytes": 9, "public": False, "expected": 1,
        "made": 1, "error": None, "kept_until": None,
    }  # fmt: skip
    assert (second["id"], second["file_type"]) == (str(failed.uuid), None)
    assert second["error"] == {"code": "empty", "text": "The file is empty."}


def test_an_upload_says_until_when_it_is_kept(cast: Cast, alice: Client) -> None:
    plan = cast.alice_corp.usage_plan
    Retention.objects.create(usage_plan=plan, days=30, set_on=NOW.date() - timedelta(days=9))
    make(cast.alice_corp, "a.jpg")
    kept_until = datetime.fromisoformat(listed(alice)["uploads"][0]["kept_until"])
    assert kept_until == NOW + timedelta(days=30)


def test_pages_have_no_doubles_and_no_gaps_while_uploads_come_and_go(
    cast: Cast, alice: Client
) -> None:
    for number in range(9):  # three at each moment
        make(cast.alice_corp, f"{number}.jpg", created_at=NOW + timedelta(seconds=number // 3))
    page = listed(alice, limit=4)
    seen = [each["filename"] for each in page["uploads"]]
    Upload.objects.filter(filename="8.jpg").delete()
    while page["next_cursor"]:
        make(cast.alice_corp, "new.jpg", created_at=NOW + timedelta(days=1))
        page = listed(alice, limit=4, cursor=page["next_cursor"])
        seen += [each["filename"] for each in page["uploads"]]
    assert seen == [f"{number}.jpg" for number in reversed(range(9))]


def test_a_search_finds_by_name_and_by_state(cast: Cast, alice: Client) -> None:
    make(cast.alice_corp, "Beach.JPG", state=UploadState.DONE)
    make(cast.alice_corp, "beach.txt", state=UploadState.FAILED, file_type="text")
    make(cast.alice_corp, "hills.jpg", state=UploadState.DONE)
    make(cast.alice_corp, "gone-beach.jpg", deleted_at=NOW)
    make(cast.charlie_corp, "beach.jpg")
    assert names(alice, q="beach") == ["beach.txt", "Beach.JPG"]
    assert names(alice, q="beach", state="done") == ["Beach.JPG"]
    assert names(alice, file_type="text") == ["beach.txt"]
    assert names(alice, q="100%") == []


def test_a_key_lists_its_own_tenants_uploads_through_the_gateway(cast: Cast) -> None:
    version = ApiKeyVersion.objects.get(api_key__tenant=cast.alice_corp)
    version.gateway_id, version.status = "key-a", VersionStatus.ACTIVE
    version.save()
    make(cast.alice_corp, "mine.jpg")
    make(cast.charlie_corp, "theirs.jpg")
    secret = settings.GATEWAY_SECRET
    caller = Client(headers={"X-Sekisho-Key-Id": "key-a", "X-Sekisho-Gateway": secret})
    assert names(caller) == ["mine.jpg"]
    assert caller.delete("/api/v1/uploads/").status_code == 405


@pytest.mark.parametrize(
    ("asked", "about"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"state": "lost"}, "state"),
        ({"cursor": "1"}, "cursor"),
        ({"cursor": f"{'9' * 18}-1"}, "cursor"),
        ({"q": "a\0"}, "q"),
    ],
)
def test_what_makes_no_sense_is_refused(alice: Client, asked: dict[str, str], about: str) -> None:
    answer = alice.get("/api/v1/uploads/", asked)
    wrong = [error["parameter"] for error in answer.json()["errors"]]
    assert (answer.status_code, wrong) == (400, [about])


def test_the_oldest_cursor_leads_to_nothing(cast: Cast, alice: Client) -> None:
    make(cast.alice_corp, "a.jpg")
    assert names(alice, cursor="0-0") == []
    assert names(alice, cursor=f"{'9' * 17}-{'9' * 18}") == ["a.jpg"]


def test_a_long_page_takes_as_many_queries_as_a_short_one(cast: Cast, alice: Client) -> None:
    listed(alice)  # a session is noted once
    counts = []
    for _ in range(2):
        make(cast.alice_corp, "a.jpg")
        with CaptureQueriesContext(connection) as queries:
            listed(alice)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def program(tenant: Tenant, *scopes: Scope) -> Client:
    _token, value = api_token_create(
        tenant=tenant, user=None, name="ci", scopes=scopes, days=1,
        actor=User.objects.get(email="alice@example.com"), now=NOW,
    )  # fmt: skip
    return Client(headers={"Authorization": f"Bearer {value}"})


def test_a_program_sends_a_file_deletes_it_and_brings_it_back(tenant: Tenant, photo: bytes) -> None:
    machine = program(tenant, Scope.UPLOADS_READ, Scope.UPLOADS_WRITE)
    body = {"filename": "a.jpg", "size": len(photo), "content_type": "image/jpeg"}
    asked = [
        machine.post(ALL, body, "application/json", headers={"Idempotency-Key": "a"}).json()
        for _ in range(2)
    ]
    upload = Upload.objects.get()
    assert asked[0] == asked[1]
    assert (asked[0]["id"], upload.created_by) == (str(upload.uuid), None)
    form = asked[0]["form"]
    sent = httpx.post(form["url"], data=form["fields"], files={"file": photo})
    assert (sent.status_code, form["expires_in"]) == (204, 3600)
    finish(upload)
    own = f"{ALL}{upload.uuid}/"
    read = machine.get(own).json()
    assert (read["state"], read["made"]) == ("done", read["expected"])
    assert machine.post(f"{own}retry/").status_code == 409
    assert [machine.delete(own).status_code for _ in range(2)] == [204, 404]
    assert [machine.post(f"{own}restore/").json() for _ in range(2)] == [read, read]
    assert machine.delete(own).status_code == 204
    Upload.objects.update(deleted_at=NOW - timedelta(hours=1))
    assert machine.post(f"{own}restore/").json()["code"] == "refused"


def test_without_storage_nothing_is_written_and_who_may_not_is_told_so(
    cast: Cast, storage_away: None
) -> None:
    body = {"filename": "a.jpg", "size": 1}
    told = {Scope.UPLOADS_READ: "scope_missing", Scope.UPLOADS_WRITE: "unavailable"}
    for scope, code in told.items():
        answer = program(cast.alice_corp, scope).post(ALL, body, "application/json")
        assert answer.json()["code"] == code
    assert not Upload.objects.exists()
