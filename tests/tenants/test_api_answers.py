"""What answers of the management API have in common: pages, ETags, and the calls left."""

import re
from datetime import timedelta
from unittest import mock

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client, override_settings
from django.utils import timezone
from redis.exceptions import ConnectionError as CacheAway
from rest_framework.test import APIClient

from tenants.models import ApiKey, ApiKeyVersion, VersionStatus
from tests.billing.books import issued
from tests.cast import Cast
from tests.tenants.tokens import bearer, token_of

pytestmark = pytest.mark.django_db
INVOICES = "/api/v1/invoices/"


@pytest.fixture
def caller(cast: Cast) -> APIClient:
    return bearer(token_of(cast)[1])


def test_pages_have_no_doubles_and_no_gaps_while_rows_come(cast: Cast, caller: APIClient) -> None:
    now = timezone.now()
    at = [now + timedelta(hours=hours) for hours in (0, 1, 1, 1, 2)]  # three at once
    numbers = [issued(cast.alice_corp, 30_00, now=moment).number for moment in at]
    seen, query = [], "?limit=2"
    while query:
        answer = caller.get(f"{INVOICES}{query}")
        seen += [each["number"] for each in answer.json()]
        issued(cast.alice_corp, 30_00, now=now + timedelta(days=1))
        leads = re.fullmatch(r'<(\?.*)>; rel="next"', answer.get("Link", ""))
        query = leads[1] if leads else ""
    assert seen == numbers[::-1]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=!", "cursor=OTk", "cursor=é"]
)
def test_a_page_that_cannot_be_is_refused(caller: APIClient, query: str) -> None:
    answer = caller.get(f"{INVOICES}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


def test_what_has_not_changed_is_not_sent_again(cast: Cast, caller: APIClient) -> None:
    first = caller.get("/api/v1/keys/")
    known = {"If-None-Match": first["ETag"]}
    again = caller.get("/api/v1/keys/", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert caller.post("/api/v1/keys/", {"name": "ci"}).status_code == 201
    changed = caller.get("/api/v1/keys/", headers=known)
    assert (changed.status_code, len(changed.json())) == (200, 2)


@override_settings(API_CALLS_PER_MINUTE=2)
def test_a_caller_is_told_what_is_left_and_then_has_to_wait(cast: Cast, caller: APIClient) -> None:
    with mock.patch("tenants.rates.time.time", return_value=1_000_010):
        answers = [caller.get("/api/v1/keys/") for _ in range(3)]
        assert bearer(token_of(cast)[1]).get("/api/v1/keys/").status_code == 200
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert [each["RateLimit-Remaining"] for each in answers] == ["1", "0", "0"]
    assert {(each["RateLimit-Limit"], each["RateLimit-Reset"]) for each in answers} == {("2", "10")}
    assert (answers[2].json()["code"], answers[2]["Retry-After"]) == ("throttled", "10")
    with mock.patch("tenants.rates.time.time", return_value=1_000_020):
        assert caller.get("/api/v1/keys/").status_code == 200


@override_settings(API_CALLS_PER_MINUTE=0)
def test_a_key_is_the_gateways_to_count(cast: Cast) -> None:
    ApiKeyVersion.objects.filter(api_key__tenant=cast.alice_corp).update(
        gateway_id="key-a", status=VersionStatus.ACTIVE
    )
    secret = settings.GATEWAY_SECRET
    key = Client(headers={"X-Sekisho-Key-Id": "key-a", "X-Sekisho-Gateway": secret})
    answer = key.get("/api/v1/keys/")
    assert (answer.status_code, "RateLimit-Limit" in answer) == (200, False)


@override_settings(API_CALLS_PER_MINUTE=1)
def test_without_a_cache_nobody_is_refused(caller: APIClient) -> None:
    with mock.patch.object(cache, "add", side_effect=CacheAway):
        assert [caller.get("/api/v1/keys/").status_code for _ in range(2)] == [200, 200]


def test_a_change_is_made_to_what_was_read_alone(cast: Cast, caller: APIClient) -> None:
    address = f"/api/v1/keys/{ApiKey.objects.get(tenant=cast.alice_corp).uuid}/"
    read = {"If-Match": caller.get(address)["ETag"]}

    def renamed(name: str, **headers: str) -> int:
        body = {"name": name, "expires_at": None}
        return caller.put(address, body, headers={**read, **headers}).status_code

    assert renamed("first") == 200
    refused = caller.put(address, {"name": "second"}, headers=read)
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert caller.get(address).json()["name"] == "first"
    assert renamed("third", **{"If-Match": "*"}) == 200
    # A repeat is answered as the first was, whatever has come of it.
    again = {"If-Match": caller.get(address)["ETag"], "Idempotency-Key": "a"}
    assert [renamed("fourth", **again) for _ in range(2)] == [200, 200]
    assert renamed("fifth", **{"If-Match": '"of another"', "Idempotency-Key": "b"}) == 412
