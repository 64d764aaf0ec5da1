"""Tokens: whom they act as, what they may do, until when, and what is kept of them."""

import re
from typing import Any

import pytest
from django.core import serializers
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from tenants import token_values
from tenants.errors import Refused
from tenants.models import ApiKey, ApiToken, AuditEntry, Member, Role, User
from tenants.scopes import Scope, scopes_of
from tenants.services import api_token_create, api_token_revoke
from tests.cast import PASSWORD, Cast
from tests.tenants.tokens import bearer, token_of

pytestmark = pytest.mark.django_db
ALL = frozenset(Scope)


class TestValues:
    def test_each_is_another_and_can_be_told_from_a_slip_of_the_pen(self) -> None:
        value = token_values.random_value()
        assert re.fullmatch("skt_[a-z2-7]{59}", value)
        assert value != token_values.random_value()
        assert token_values.is_well_formed(value)
        slips = (value[:-1], value[:20] + "9" + value[21:], value.replace("skt_", "sks_"), "", "ä")
        assert not any(map(token_values.is_well_formed, slips))

    def test_no_row_has_it(self, cast: Cast) -> None:
        token, value = token_of(cast)
        rows = serializers.serialize("json", [token, *AuditEntry.objects.all()])
        assert value[4:-4] not in rows
        assert token.last_four == value[-4:]


class TestMachines:
    def test_it_has_its_scopes_alone(self, cast: Cast) -> None:
        client = bearer(token_of(cast, Scope.KEYS_READ, Scope.USAGE_READ)[1])
        assert [key["name"] for key in client.get("/api/v1/keys/").json()] == ["default"]
        assert client.get("/api/v1/usage/").status_code == 200
        refused = client.post("/api/v1/keys/", {"name": "more"})
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        assert refused.json()["scope"] == "keys:write"
        assert 'error="insufficient_scope", scope="keys:write"' in refused["WWW-Authenticate"]
        assert client.get("/api/v1/invoices/").json()["scope"] == "billing:read"

    def test_it_outlives_its_maker_and_is_in_the_audit_trail(self, cast: Cast) -> None:
        token, value = token_of(cast, Scope.KEYS_WRITE)
        cast.alice.delete()
        assert bearer(value).post("/api/v1/keys/", {"name": "ci"}).status_code == 201
        entry = AuditEntry.objects.get(action="api_key.created")
        assert (entry.actor, entry.data["api_token"]) == (None, str(token.uuid))

    def test_it_reaches_no_other_tenant(self, cast: Cast) -> None:
        theirs = ApiKey.objects.get(tenant=cast.charlie_corp)
        client = bearer(token_of(cast)[1])
        assert client.post(f"/api/v1/keys/{theirs.uuid}/revoke/").status_code == 404


class TestPersonal:
    def test_it_may_what_its_members_role_allows_at_the_moment(self, cast: Cast) -> None:
        client = bearer(token_of(cast, user=cast.bob)[1])
        assert client.post("/api/v1/keys/", {"name": "one"}).status_code == 201
        assert AuditEntry.objects.get(action="api_key.created").actor == cast.bob
        Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
        refused = client.post("/api/v1/keys/", {"name": "two"})
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")

    def test_it_dies_with_the_membership_and_stays_dead(self, cast: Cast) -> None:
        client = bearer(token_of(cast, user=cast.bob)[1])
        Member.objects.filter(user=cast.bob).delete()
        assert client.get("/api/v1/keys/").status_code == 401
        Member.objects.create(
            tenant=cast.alice_corp, user=cast.bob, role=Role.OWNER, created_at=timezone.now()
        )
        assert client.get("/api/v1/keys/").status_code == 401

    def test_the_membership_is_read_once(self, cast: Cast) -> None:
        client = bearer(token_of(cast, Scope.ALERTS_READ, user=cast.bob)[1])
        client.get("/api/v1/alerts/")  # the first notes the day
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/api/v1/alerts/").status_code == 200
        asked = [query["sql"] for query in queries if 'FROM "tenants_member"' in query["sql"]]
        assert len(asked) == 1

    def test_it_is_no_use_to_who_may_not_sign_in(self, cast: Cast) -> None:
        client = bearer(token_of(cast, user=cast.bob)[1])
        User.objects.filter(pk=cast.bob.pk).update(is_active=False)
        assert client.get("/api/v1/keys/").status_code == 401

    def test_it_is_for_its_own_tenant_whatever_the_session_chose(self, cast: Cast) -> None:
        client = bearer(token_of(cast, user=cast.alice)[1])
        client.login(username="charlie@example.com", password=PASSWORD)
        key = ApiKey.objects.get(tenant=cast.alice_corp)
        assert [each["id"] for each in client.get("/api/v1/keys/").json()] == [str(key.uuid)]


class TestEnd:
    def test_expired_revoked_and_unknown_ones_are_refused(self, cast: Cast) -> None:
        expired, first = token_of(cast)
        ApiToken.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
        revoked, second = token_of(cast)
        api_token_revoke(token=revoked, actor=cast.alice, now=timezone.now())
        answers = [
            bearer(value).get("/api/v1/keys/")
            for value in (first, second, token_values.random_value(), "skt_short", "ä", "")
        ]
        assert [each.json()["code"] for each in answers] == ["authentication_failed"] * 6
        assert {each["WWW-Authenticate"] for each in answers} == {'Bearer realm="Sekisho"'}
        assert bearer(first).get("/api/v1/none/").status_code == 401
        assert bearer(token_of(cast, days=None)[1]).get("/api/v1/keys/").status_code == 200

    def test_who_tries_too_many_has_to_wait(self, cast: Cast) -> None:
        good = token_of(cast)[1]
        guess = bearer(token_values.random_value())
        codes = [guess.get("/api/v1/keys/").status_code for _ in range(31)]
        assert codes == [401] * 30 + [429]
        refused = guess.get("/api/v1/keys/")
        assert refused.json()["code"] == "throttled"
        assert 0 < int(refused["Retry-After"]) <= 60
        assert guess.get("/api/v1/keys/", REMOTE_ADDR="192.0.2.7").status_code == 401
        assert bearer(good).get("/api/v1/keys/").status_code == 200  # behind the same proxy

    def test_the_day_of_the_last_use_is_written_once(
        self, cast: Cast, django_assert_num_queries: Any
    ) -> None:
        token, value = token_of(cast)
        bearer(value).get("/api/v1/none/")
        token.refresh_from_db()
        assert token.last_used_on == timezone.now().date()
        with django_assert_num_queries(1):
            bearer(value).get("/api/v1/none/")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": " "},
            {"name": "x" * 61},
            {"scopes": []},
            {"days": 366},
        ],
    )
    def test_what_cannot_be_is_refused(self, cast: Cast, wrong: dict[str, Any]) -> None:
        right: dict[str, Any] = {
            "tenant": cast.alice_corp, "user": None, "name": "x", "scopes": [Scope.USAGE_READ],
            "days": 1, "actor": cast.alice, "now": timezone.now(),
        }  # fmt: skip
        with pytest.raises(Refused):
            api_token_create(**(right | wrong))


class TestApi:
    def test_a_token_makes_none_that_can_more(self, cast: Cast) -> None:
        client = bearer(token_of(cast, Scope.TOKENS_WRITE, Scope.USAGE_READ, days=30)[1])
        asked = {"name": "child", "scopes": ["usage:read"], "machine": True, "expires_in_days": 7}
        made = client.post("/api/v1/tokens/", asked)
        assert made.status_code == 201
        assert made["Cache-Control"] == "no-store"
        assert bearer(made.json()["value"]).get("/api/v1/usage/").status_code == 200
        for more in (
            {"scopes": ["keys:write"]},
            {"expires_in_days": 31},
            {"expires_in_days": None},
            {"machine": False},
        ):
            refused = client.post("/api/v1/tokens/", {**asked, **more})
            assert refused.status_code in {403, 409}, more
        assert client.post("/api/v1/tokens/", {**asked, "scopes": ["all"]}).status_code == 400

    def test_a_role_that_may_not_makes_and_revokes_its_own_alone(self, cast: Cast) -> None:
        bob = APIClient()
        bob.force_login(cast.bob)
        machines, value = token_of(cast)
        assert bob.delete(f"/api/v1/tokens/{machines.uuid}/").status_code == 403
        asked = {"name": "mine", "scopes": ["keys:write"]}
        assert bob.post("/api/v1/tokens/", {**asked, "machine": True}).status_code == 403
        mine = bob.post("/api/v1/tokens/", asked).json()
        listed = bob.get("/api/v1/tokens/").json()
        assert [(each["id"], each["user"]) for each in listed] == [
            (mine["id"], "bob@example.com"),
            (str(machines.uuid), None),
        ]
        assert not any("value" in each for each in listed)
        # A machine's token is over machines' alone.
        assert bearer(value).delete(f"/api/v1/tokens/{mine['id']}/").status_code == 403
        for _ in range(2):
            assert bob.delete(f"/api/v1/tokens/{mine['id']}/").status_code == 204
        assert bearer(mine["value"]).get("/api/v1/keys/").status_code == 401


class TestDescent:
    def test_a_token_takes_those_with_it_that_it_made(self, cast: Cast) -> None:
        parent, value = token_of(cast, user=cast.alice)
        asked = {"name": "x", "scopes": ["tokens:write", "keys:read"], "expires_in_days": 9}
        machines = bearer(value).post("/api/v1/tokens/", {**asked, "machine": True})
        assert machines.status_code == 403
        child = bearer(value).post("/api/v1/tokens/", asked).json()["value"]
        shorter = {**asked, "expires_in_days": 8}
        grandchild = bearer(child).post("/api/v1/tokens/", shorter).json()["value"]
        other = token_of(cast, user=cast.alice)[1]
        assert bearer(grandchild).get("/api/v1/keys/").status_code == 200
        api_token_revoke(token=parent, actor=cast.alice, now=timezone.now())
        answers = [
            bearer(each).get("/api/v1/keys/").status_code for each in (child, grandchild, other)
        ]
        assert answers == [401, 401, 200]
        assert AuditEntry.objects.filter(action="api_token.revoked").count() == 3

    def test_who_has_just_ended_or_lost_their_role_makes_none(self, cast: Cast) -> None:
        machines, personal = token_of(cast)[0], token_of(cast, user=cast.bob)[0]
        api_token_revoke(token=machines, actor=cast.alice, now=timezone.now())
        Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
        for user, made_by, why in (
            (None, machines, "has ended"),
            (cast.bob, personal, "only from those that you have"),
            (cast.charlie, None, "not a member"),
            (None, None, "Your role"),
        ):
            with pytest.raises(Refused, match=why):
                api_token_create(
                    tenant=cast.alice_corp, user=user, name="x", scopes=[Scope.KEYS_WRITE], days=1,
                    actor=None if made_by == machines else user or cast.bob, made_by=made_by,
                    now=timezone.now(),
                )  # fmt: skip
        assert ApiToken.objects.count() == 2


class TestPage:
    def test_a_value_is_shown_once(self, cast: Cast) -> None:
        client = Client()
        client.force_login(cast.alice)
        empty = client.get("/settings/tokens/")
        assert "curl -H" in empty.content.decode()
        made = client.post(
            "/settings/tokens/",
            {"name": "ci", "kind": "machine", "scopes": ["keys:read"], "expiry": "never"},
        )
        value = re.search(r"skt_[a-z2-7]{59}", made.content.decode())
        assert (made.status_code, "no-store" in made["Cache-Control"]) == (201, True)
        assert value is not None
        assert bearer(value[0]).get("/api/v1/keys/").status_code == 200
        page = client.get("/settings/tokens/").content.decode()
        assert "keys:read" in page
        assert value[0] not in page
        token = ApiToken.objects.get()
        assert (token.user, token.expires_at) == (None, None)
        assert client.post(f"/settings/tokens/{token.uuid}/revoke/").status_code == 302
        assert bearer(value[0]).get("/api/v1/keys/").status_code == 401

    def test_a_role_is_offered_what_it_may(self, cast: Cast) -> None:
        Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
        client = Client()
        client.force_login(cast.bob)
        asked = {"name": "x", "kind": "machine", "scopes": ["keys:read"], "expiry": "30"}
        assert client.post("/settings/tokens/", asked | {"scopes": "keys:write"}).status_code == 400
        assert client.post("/settings/tokens/", asked).status_code == 201
        assert ApiToken.objects.get().user == cast.bob  # no machine's, whatever was sent


def test_every_scope_is_some_roles(cast: Cast) -> None:
    assert scopes_of(Member.objects.get(user=cast.alice)) == ALL
    assert Scope.KEYS_WRITE not in scopes_of(Member(role=Role.BILLING))
