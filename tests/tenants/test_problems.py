"""Refusals of the management API: RFC 9457, codes that stay, and where each leads."""

import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from tenants.models import ApiKey
from tenants.problems import PROBLEMS
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast: Cast) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_login(cast.alice)
    return client


def problem_of(answer: Any) -> dict[str, Any]:
    """Return a problem, once it is what every problem is."""
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["title"]) == PROBLEMS[body["code"]]
    assert body["status"] == answer.status_code
    assert body["type"] == f"http://localhost:8000/api/docs/#problem-{body['code']}"
    assert body["detail"]
    return body


def test_every_refusal_has_its_code(alice: APIClient, cast: Cast) -> None:
    key = ApiKey.objects.get(tenant=cast.alice_corp)
    address = f"/api/v1/keys/{key.uuid}"
    refused = [
        alice.post("/api/v1/keys/", "{", content_type="application/json"),
        alice.post("/api/v1/keys/", "<a/>", content_type="application/xml"),
        alice.post("/api/v1/keys/", {"name": "default"}),
        alice.post("/api/v1/usage/", {}),
        alice.get("/api/v1/usage/", {"key": "5f0c9c5e-98cf-4a1c-9d5b-3b3c1f7f8a11"}),
        alice.get("/api/v1/none/"),
        alice.get("/api/v1/keys/", headers={"Accept": "text/html"}),
        Client().get("/api/v1/keys/"),
        Client(headers={"X-Sekisho-Key-Id": "guessed"}).get("/api/v1/keys/"),
    ]
    assert alice.post(f"{address}/revoke/").status_code == 204
    refused.append(alice.post(f"{address}/rotate/"))
    assert [problem_of(each)["code"] for each in refused] == [
        "parse_error", "unsupported_media_type", "refused", "method_not_allowed", "not_found",
        "not_found", "not_acceptable", "not_authenticated", "authentication_failed",
        "not_in_this_state",
    ]  # fmt: skip
    assert refused[3]["Allow"] == "GET, HEAD, OPTIONS"


def test_what_is_wrong_is_pointed_at(alice: APIClient) -> None:
    (in_body,) = problem_of(alice.post("/api/v1/keys/", {}))["errors"]
    assert (in_body["pointer"], in_body["code"]) == ("#/name", "required")
    wrong = problem_of(alice.get("/api/v1/usage/", {"start": "soon", "key": "mine"}))
    assert [(each["parameter"], each["code"]) for each in wrong["errors"]] == [
        ("start", "invalid"),
        ("key", "invalid"),
    ]
    assert "start: " in wrong["detail"]
    for address in ("/api/v1/usage/", "/api/v1/audit/"):  # where calendars end
        wrong = problem_of(alice.get(address, {"start": "0001-01-01", "end": "9999-12-31"}))
        assert [each["parameter"] for each in wrong["errors"]] == ["start", "end"]
        wrong = problem_of(alice.get(address, {"start": "2026-11-02", "end": "2026-11-01"}))
        assert [each["parameter"] for each in wrong["errors"]] == ["end"]
        assert "before the start" in wrong["detail"]
    assert problem_of(alice.post("/api/v1/keys/", []))["errors"][0]["pointer"] == "#"
    past = problem_of(alice.post("/api/v1/keys/", {"name": "a", "expires_at": "2020-01-01T00:00Z"}))
    assert [each["pointer"] for each in past["errors"]] == ["#/expires_at"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"name": "\\ud800"}', "parse_error"),
        ('{"name": ' * 100_000, "parse_error"),
        (json.dumps({"name": "x" * 2_700_000}), "too_large"),
    ],
)
def test_what_cannot_be_read_is_no_fault_of_ours(alice: APIClient, body: str, code: str) -> None:
    for headers in ({}, {"Idempotency-Key": "once"}):
        answer = alice.generic("POST", "/api/v1/keys/", body, "application/json", headers=headers)
        assert problem_of(answer)["code"] == code


def test_an_address_without_its_slash_leads_nowhere(alice: APIClient, cast: Cast) -> None:
    """Who is led on asks with GET for what a POST was to make."""
    before = ApiKey.objects.filter(tenant=cast.alice_corp).count()
    for address in ("/api/v1/keys", "/api/v1/none", "/api/v1/"):
        answer = problem_of(alice.post(address, {"name": "ci"}))
        assert (answer["code"], "slash" in answer["detail"]) == ("not_found", True)
    assert ApiKey.objects.filter(tenant=cast.alice_corp).count() == before


def test_a_fault_of_ours_is_a_problem_too(alice: APIClient) -> None:
    with mock.patch("tenants.selectors.api_keys", side_effect=RuntimeError("boom")):
        body = problem_of(alice.get("/api/v1/keys/"))
        assert alice.get("/keys/")["Content-Type"].startswith("text/html")
    assert body["code"] == "error"
    assert "boom" not in str(body)


def test_each_type_leads_to_its_line(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    for code in PROBLEMS:
        assert f'id="problem-{code}"' in page


def test_the_documentation_has_every_code() -> None:
    text = Path(settings.BASE_DIR, "docs/api.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text, flags=re.MULTILINE)
    assert rows == [(code, str(status)) for code, (status, _) in PROBLEMS.items()]


def test_a_range_has_400_days_at_most(alice: APIClient) -> None:
    ranges = [{"start": "2025-01-01", "end": end} for end in ("2026-02-04", "2026-02-05")]
    days, refused = (alice.get("/api/v1/usage/", each).json() for each in ranges)
    assert (len(days["days"]), refused["code"]) == (400, "invalid")
    page = [alice.get("/usage/", {**each, "meter": "requests"}).status_code for each in ranges]
    assert page == [200, 400]
