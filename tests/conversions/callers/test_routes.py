"""Every route of the sold API, called with a real key through the gateway, to its real backend."""

import json
import re
import time
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.core.signals import request_started
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from conversions import backend, services
from conversions.models import Upload, UploadState
from tenants.models import ApiKeyVersion, Tenant
from tests.cast import Cast
from tests.conversions.callers.conftest import PATIENCE_SECONDS, converted, until, uploaded
from tests.conversions.conftest import finish

pytestmark = pytest.mark.django_db(transaction=True)


def test_ping_knows_who_calls_and_what_is_left(alice: httpx.Client, tenant: Tenant) -> None:
    first = alice.get("/v1/ping", headers={"Origin": "https://shop.example"})
    assert first.status_code == 200, first.text
    body = first.json()
    assert body["tenant"] == {"id": str(tenant.uuid), "name": "Alice Corp"}
    assert (body["plan"], body["limit"]) == ("free", 100)
    assert first.headers["access-control-allow-origin"] == "*"
    # The live meter counts the first call within seconds; asking costs one, too.
    until(lambda: alice.get("/v1/ping"), lambda it: it["remaining"] < 100)


def test_an_upload_by_the_api_is_converted_and_shown_by_api_and_portal(
    alice: httpx.Client, charlie: httpx.Client, photo: bytes
) -> None:
    upload = uploaded(alice, photo, presets=["thumb", "web"])
    body = converted(alice, upload)
    assert [variant["preset"] for variant in body["variants"]] == ["thumb", "web"]
    for variant in body["variants"]:
        assert len(httpx.get(variant["url"]).content) == variant["bytes"]
    assert charlie.get(f"/v1/uploads/{upload}").status_code == 404
    services.results_poll(now=timezone.now())
    row = finish(Upload.objects.get(uuid=upload))
    assert (row.filename, row.state, row.created_by) == ("barrier.jpg", UploadState.DONE, None)


def test_a_text_by_the_api_has_no_sides(alice: httpx.Client) -> None:
    (variant,) = converted(alice, uploaded(alice, "café".encode("cp1252")))["variants"]
    assert (variant["preset"], variant["format"]) == ("utf8", "txt")
    assert (variant["width"], variant["height"]) == (None, None)
    assert httpx.get(variant["url"]).text == "café"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "filename"),
        ({"filename": "a.jpg", "presets": ["no/slug"]}, "presets"),
        ({"filename": "a.jpg", "surprise": 1}, "surprise"),
    ],
)
def test_the_gateway_refuses_bodies_and_says_why(
    alice: httpx.Client, body: dict[str, Any], says: str
) -> None:
    answer = alice.post("/v1/uploads", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request_body"
    assert says in answer.json()["detail"]
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream"])
def test_a_body_of_another_content_type_is_looked_at_as_well(
    alice: httpx.Client, content_type: str
) -> None:
    for body in ("{}", "filename=a.jpg", r'{"filename": "a\u0000.jpg"}'):
        answer = alice.post("/v1/uploads", content=body, headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request_body"), body
        assert answer.json()["detail"]


def test_unknown_presets_are_named(alice: httpx.Client) -> None:
    asked = {"filename": "a.jpg", "presets": ["web", "huge"]}
    answer = alice.post("/v1/uploads", json=asked, headers={"Origin": "https://shop.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_presets")
    assert answer.json()["message"] == "Unknown presets: huge."
    assert answer.json()["request_id"] == answer.headers["x-amzn-requestid"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_what_is_no_picture_says_so_to_whoever_asks(alice: httpx.Client) -> None:
    upload = uploaded(alice, b"GIF? no.\0")
    ask = lambda: alice.get(f"/v1/uploads/{upload}")  # noqa: E731
    body = until(ask, lambda it: it["state"] == "failed")
    assert body["error"]["code"] == "not_supported"


def test_a_job_converts_again_with_other_presets(
    alice: httpx.Client, charlie: httpx.Client, photo: bytes
) -> None:
    upload = uploaded(alice, photo, presets=["thumb"])
    converted(alice, upload)
    nobodys = "00000000-0000-0000-0000-000000000000"
    asked = {"uploads": [upload, nobodys], "presets": ["avif", "none"]}
    taken = alice.post("/v1/jobs", json=asked)
    assert (taken.status_code, taken.json()["state"]) == (202, "queued")
    job = taken.json()["id"]
    outcome = until(lambda: alice.get(f"/v1/jobs/{job}"), lambda it: True)
    assert outcome["accepted"] == [upload]
    assert outcome["refused"] == {nobodys: "You have no upload with this id."}
    assert outcome["unknown_presets"] == ["none"]
    until(
        lambda: alice.get(f"/v1/uploads/{upload}"),
        lambda it: it["state"] == "done" and len(it["variants"]) == 2,
    )
    assert charlie.get(f"/v1/jobs/{job}").status_code == 404
    stolen = charlie.post("/v1/jobs", json={"uploads": [upload]}).json()["id"]
    outcome = until(lambda: charlie.get(f"/v1/jobs/{stolen}"), lambda it: True)
    assert (outcome["state"], outcome["accepted"]) == ("refused", [])


def test_deliveries_are_added_up_per_variant(
    alice: httpx.Client, charlie: httpx.Client, photo: bytes
) -> None:
    upload = uploaded(alice, photo, presets=["thumb"])
    converted(alice, upload)
    thumb = {"upload": upload, "preset": "thumb"}
    for events in ([thumb], [thumb, {**thumb, "count": 5}]):
        taken = alice.post("/v1/events", json={"events": events})
        assert taken.status_code == 202, taken.text
    assert charlie.post("/v1/events", json={"events": [thumb]}).status_code == 202
    deadline = time.monotonic() + PATIENCE_SECONDS
    views: list[int] = []
    while views != [7]:
        assert time.monotonic() < deadline, views
        for result in backend.results_receive(wait_seconds=1):
            services.result_apply(body=result.body, now=timezone.now())
            backend.result_delete(result=result)
        row = Upload.objects.filter(uuid=upload).first()
        views = [day.views for day in row.views.all()] if row else []


def test_a_caller_starts_the_state_machine_and_sees_where_it_is(
    alice: httpx.Client, charlie: httpx.Client, photo: bytes
) -> None:
    upload = uploaded(alice, photo, presets=["thumb"])
    converted(alice, upload)
    started = alice.post("/v1/workflows/ingest", json={"upload": upload})
    assert (started.status_code, started.json()["state"]) == (202, "running")
    execution = started.json()["id"]
    ask = lambda: alice.get(f"/v1/workflows/ingest/{execution}")  # noqa: E731
    body = until(ask, lambda it: it["state"] != "running")
    assert (body["state"], body["upload"]) == ("succeeded", upload)
    assert charlie.get(f"/v1/workflows/ingest/{execution}").status_code == 404
    assert alice.get("/v1/workflows/ingest/none").status_code == 404

    steps = [
        event["stateEnteredEventDetails"]["name"] for event in history(execution)
        if "stateEnteredEventDetails" in event
    ]  # fmt: skip
    assert steps == ["Inspect", "Accepted", "Presets", "Published", "Plan", "FanOut"]


def history(execution: str) -> list[dict[str, Any]]:
    machine = backend.outputs()["StateMachine"].replace(":stateMachine:", ":execution:")
    answer = backend.client("stepfunctions").get_execution_history(
        executionArn=f"{machine}:{execution}"
    )
    events: list[dict[str, Any]] = answer["events"]
    return events


def test_an_execution_about_another_tenants_upload_finds_no_file(
    alice: httpx.Client, charlie: httpx.Client, photo: bytes
) -> None:
    upload = uploaded(alice, photo, presets=["thumb"])
    converted(alice, upload)
    execution = charlie.post("/v1/workflows/ingest", json={"upload": upload}).json()["id"]
    ask = lambda: charlie.get(f"/v1/workflows/ingest/{execution}")  # noqa: E731
    assert until(ask, lambda it: it["state"] != "running")["state"] == "failed"
    assert alice.get(f"/v1/uploads/{upload}").json()["state"] == "done"


def test_the_monolith_answers_through_the_gateway_for_the_keys_tenant(
    alice: httpx.Client, portal: None, tenant: Tenant
) -> None:
    usage = alice.get("/v1/account/usage")
    assert usage.status_code == 200, usage.text
    # The portal says used_period; what callers were promised is `used`.
    assert {"used", "limit", "remaining"} <= usage.json().keys()
    assert "used_period" not in usage.json()
    assert usage.json()["limit"] == 100
    keys = alice.get("/v1/account/keys")
    assert [key["name"] for key in keys.json()] == ["default"]
    assert keys.headers["access-control-allow-origin"] == "*"
    assert alice.get("/v1/account/invoices").status_code == 200


def test_what_the_monolith_refuses_is_passed_on_in_the_contracts_words(
    alice: httpx.Client, portal: None
) -> None:
    answer = alice.get("/v1/account/usage", params={"start": "gestern", "key": "x'y"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameters")
    assert re.findall(r"(start|key): ", answer.json()["detail"]) == ["start", "key"]
    nobodys = {"key": "00000000-0000-4000-8000-000000000000"}
    answer = alice.get("/v1/account/usage", params=nobodys)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    refused = alice.post("/v1/account/keys", json={"name": "more"})
    assert (refused.status_code, "may only read" in refused.text) == (403, True)
    assert alice.get("/v1/account/none/such").status_code == 404


def test_a_callers_own_headers_are_overwritten(
    alice: httpx.Client, charlie: httpx.Client, portal: None, cast: Cast
) -> None:
    mine = ApiKeyVersion.objects.get(api_key__tenant=cast.alice_corp)
    forged = {"X-Sekisho-Key-Id": mine.gateway_id, "X-Sekisho-Gateway": "guessed"}
    keys = charlie.get("/v1/account/keys", headers=forged)
    theirs = ApiKeyVersion.objects.get(api_key__tenant=cast.charlie_corp)
    assert [key["last_four"] for key in keys.json()] == [theirs.last_four]


@pytest.mark.parametrize("path", ["keys", "usage"])
def test_the_portal_never_sees_a_keys_value(alice: httpx.Client, portal: None, path: str) -> None:
    seen: list[dict[str, str]] = []

    def note(environ: dict[str, str], **_rest: Any) -> None:
        seen.append({name: it for name, it in environ.items() if name.startswith("HTTP_")})

    request_started.connect(note)
    try:
        assert alice.get(f"/v1/account/{path}").status_code == 200
    finally:
        request_started.disconnect(note)
    assert [headers["HTTP_X_SEKISHO_GATEWAY"] for headers in seen] == [settings.GATEWAY_SECRET]
    assert alice.headers["x-api-key"] not in seen[0].values()


def test_the_portal_refuses_a_forged_header_that_comes_straight(
    alice: httpx.Client, portal: None, live_server: LiveServer, tenant: Tenant
) -> None:
    mine = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    for secret in ({}, {"X-Sekisho-Gateway": "guessed"}):
        headers = {"X-Sekisho-Key-Id": mine.gateway_id, **secret}
        answer = httpx.get(f"{live_server.url}/api/v1/keys/", headers=headers)
        assert answer.status_code in (401, 403)


def test_browsers_may_call_from_anywhere(stack: str, alice: httpx.Client) -> None:
    asks = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    answer = httpx.options(f"{stack}/v1/uploads", headers=asks)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-api-key" in answer.headers["access-control-allow-headers"]
    refused = httpx.get(f"{stack}/v1/ping")
    assert (refused.status_code, refused.json()["code"]) == (403, "invalid_api_key")
    assert refused.headers["access-control-allow-origin"] == "*"
    assert httpx.get(f"{stack}/v1/nowhere").status_code == 404


def test_refusals_say_what_to_do(alice: httpx.Client) -> None:
    seen: dict[str, httpx.Response] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not {"throttled", "quota_exceeded"} <= seen.keys():
        assert time.monotonic() < deadline, sorted(seen)
        answer = alice.get("/v1/account/nothing")
        if answer.status_code == 429:
            seen[answer.json()["code"]] = answer
    throttled, exceeded = seen["throttled"], seen["quota_exceeded"]
    assert throttled.headers["retry-after"] == "1"
    assert exceeded.json()["message"] == "Limit Exceeded"
    assert exceeded.json()["extend_url"] == f"{settings.SITE_URL}/billing/extensions/"
    for answer in (throttled, exceeded):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_no_key_is_ever_in_the_access_log(alice: httpx.Client) -> None:
    alice.get("/v1/ping")
    deadline = time.monotonic() + PATIENCE_SECONDS
    lines: list[dict[str, Any]] = []
    while not lines:
        assert time.monotonic() < deadline
        found = backend.client("logs").filter_log_events(
            logGroupName=backend.outputs()["AccessLog"]
        )
        lines = [json.loads(event["message"]) for event in found["events"]]
    assert {"time", "request", "key", "method", "path", "status"} <= lines[-1].keys()
    assert alice.headers["x-api-key"] not in json.dumps(lines)
