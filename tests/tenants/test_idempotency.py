"""Idempotency-Key: once done, once only, whoever dies and however often it comes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from unittest import mock

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from redis.exceptions import ConnectionError as CacheAway
from rest_framework.test import APIClient

from tenants.models import ApiKey, IdempotentCall
from tenants.scopes import Scope
from tenants.services.idempotency import KEPT
from tenants.tasks import idempotent_calls_prune
from tests.cast import Cast
from tests.tenants.tokens import bearer, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast: Cast) -> APIClient:
    return bearer(token_of(cast, user=cast.alice)[1])


def create(client: APIClient, key: str, name: str = "ci", **headers: str) -> Any:
    return client.post("/api/v1/keys/", {"name": name}, headers={"Idempotency-Key": key, **headers})


def keys_of(cast: Cast) -> int:
    return ApiKey.objects.filter(tenant=cast.alice_corp, name__startswith="ci").count()


def test_a_repeat_is_answered_the_same_but_for_what_is_shown_once(
    cast: Cast, alice: APIClient
) -> None:
    first, again = create(alice, "a"), create(alice, "a")
    assert keys_of(cast) == 1
    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert first.json()["value"].startswith("sks")
    assert again.json() == {**first.json(), "value": None}
    assert first.json()["value"] not in str(IdempotentCall.objects.get().body)
    revoke = f"/api/v1/keys/{first.json()['id']}/revoke/"
    answers = [alice.post(revoke, headers={"Idempotency-Key": "b"}) for _ in range(2)]
    assert [(each.status_code, each.content) for each in answers] == [(204, b"")] * 2


def test_another_call_under_the_same_key_is_refused(cast: Cast, alice: APIClient) -> None:
    create(alice, "a")
    other = create(alice, "a", name="ci other")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    key = ApiKey.objects.filter(tenant=cast.alice_corp).earliest("id")
    elsewhere = alice.post(f"/api/v1/keys/{key.uuid}/revoke/", headers={"Idempotency-Key": "a"})
    assert elsewhere.status_code == 422
    assert keys_of(cast) == 1


def test_a_key_is_its_callers_own(cast: Cast, alice: APIClient) -> None:
    create(alice, "a")
    assert create(bearer(token_of(cast)[1]), "a", name="ci two").status_code == 201
    charlie = APIClient()
    charlie.force_login(cast.charlie)
    assert create(charlie, "a").status_code == 201


def test_who_may_not_is_refused_whatever_was_answered_before(cast: Cast, alice: APIClient) -> None:
    assert create(alice, "a").status_code == 201
    with mock.patch("tenants.callers.scopes_of", return_value=frozenset({Scope.KEYS_READ})):
        assert create(alice, "a").status_code == 403


def test_a_refusal_is_not_kept(cast: Cast, alice: APIClient) -> None:
    refused = create(alice, "a", name="default")
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert not IdempotentCall.objects.exists()
    assert create(alice, "a").status_code == 201


def test_who_dies_before_the_answer_is_noted_has_done_nothing(cast: Cast, alice: APIClient) -> None:
    with (
        mock.patch("tenants.idempotency._kept", side_effect=RuntimeError("killed")),
        pytest.raises(RuntimeError),
    ):
        create(alice, "a")
    assert keys_of(cast) == 0
    assert create(alice, "a").status_code == 201
    assert keys_of(cast) == 1


def test_the_second_of_two_at_once_is_refused(cast: Cast, alice: APIClient) -> None:
    seen = []

    def meanwhile(**_: Any) -> None:
        seen.append(create(alice, "a"))

    with mock.patch("tenants.services.api_key_value_reveal", side_effect=meanwhile):
        first = create(alice, "a")
    assert (first.status_code, keys_of(cast)) == (201, 1)
    assert [each.json()["code"] for each in seen] == ["idempotency_key_in_use"]


def test_without_a_cache_nothing_is_done_twice(cast: Cast, alice: APIClient) -> None:
    with mock.patch.object(cache, "add", side_effect=CacheAway):
        assert [create(alice, "a").status_code for _ in range(2)] == [201, 201]
    assert keys_of(cast) == 1


def test_a_cache_that_goes_away_meanwhile_loses_no_answer(cast: Cast, alice: APIClient) -> None:
    with mock.patch.object(cache, "delete", side_effect=CacheAway):
        assert create(alice, "a").json()["value"]


def test_after_a_day_it_is_another_call(cast: Cast, alice: APIClient) -> None:
    create(alice, "a")
    IdempotentCall.objects.update(called_at=timezone.now() - KEPT + timedelta(minutes=1))
    idempotent_calls_prune()
    assert create(alice, "a")["Idempotent-Replayed"] == "true"
    IdempotentCall.objects.update(called_at=timezone.now() - KEPT)
    assert create(alice, "a", name="ci two").status_code == 201
    IdempotentCall.objects.update(called_at=timezone.now() - KEPT)
    idempotent_calls_prune()
    assert not IdempotentCall.objects.exists()


def test_what_is_no_key_is_refused_and_reading_needs_none(cast: Cast, alice: APIClient) -> None:
    for key in ("", "x" * 256, "é"):
        assert create(alice, key).json()["code"] == "idempotency_key_invalid"
    assert alice.get("/api/v1/keys/", headers={"Idempotency-Key": "x" * 256}).status_code == 200
    assert not IdempotentCall.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_the_database_lets_one_act(cast: Cast) -> None:
    """Where the cache is away, and keeps nobody out."""
    value = token_of(cast, user=cast.alice)[1]
    together = Barrier(2)

    def send() -> Any:
        together.wait()
        try:
            return create(bearer(value), "a")
        finally:
            connection.close()

    add = "django.core.cache.backends.redis.RedisCache.add"  # each thread has its own
    with mock.patch(add, side_effect=CacheAway), ThreadPoolExecutor() as pool:
        answers = [each.result() for each in [pool.submit(send) for _ in range(2)]]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.json()["id"] for answer in answers}) == keys_of(cast) == 1
    assert [answer.get("Idempotent-Replayed") for answer in answers].count("true") == 1
