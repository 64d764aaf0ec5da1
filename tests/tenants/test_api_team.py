"""The team by the management API: what the pages do, for people; machines only look."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tenants.models import AuditEntry, Invitation, InvitationState, Mail, Member, Role
from tenants.permissions import Act, may
from tenants.scopes import Scope, roles_within, scopes_of
from tenants.services import api_token_create
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.alice)
    return client


def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    address = f"/api/v1/{path}"
    return client.generic(
        method, address, "" if body is None else body, "application/json", headers=headers
    )


def test_members_are_listed_changed_and_removed(cast: Cast, alice: Client) -> None:
    first = call(alice, "GET", "members/?limit=1")
    (bob,) = first.json()
    query = first["Link"].partition(">")[0].lstrip("<")
    (owner,) = call(alice, "GET", f"members/{query}").json()
    assert (owner["user"], owner["role"]) == ("alice@example.com", "owner")
    path = f"members/{bob['id']}/"
    assert call(alice, "PATCH", path, '{"role": "billing"}').json()["role"] == "billing"
    assert call(alice, "PATCH", path, '{"role": "emperor"}').status_code == 400
    refused = call(alice, "PATCH", f"members/{owner['id']}/", '{"role": "admin"}')
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert "nor owner" in refused.json()["detail"]
    assert call(alice, "DELETE", path).status_code == 204
    assert call(alice, "DELETE", path).status_code == 404
    assert Member.objects.filter(tenant=cast.alice_corp).count() == 1


def test_invitations_are_sent_listed_and_withdrawn(cast: Cast, alice: Client) -> None:
    body = '{"email": "Dave@example.com", "role": "developer"}'
    sent = call(alice, "POST", "invitations/", body)
    assert sent.status_code == 201
    assert call(alice, "POST", "invitations/", body).status_code == 409
    assert Mail.objects.get().to == "dave@example.com"
    (listed,) = call(alice, "GET", "invitations/").json()
    assert listed == sent.json()
    assert listed["invited_by"] == "alice@example.com"
    assert "token" not in str(listed)
    path = f"invitations/{listed['id']}/"
    assert call(alice, "DELETE", path).status_code == 204
    assert call(alice, "DELETE", path).status_code == 409
    assert Invitation.objects.get().state == InvitationState.WITHDRAWN


def test_a_machine_looks_and_changes_nobody(cast: Cast) -> None:
    _token, value = api_token_create(
        tenant=cast.alice_corp, user=None, name="ci",
        scopes={Scope.TEAM_READ, Scope.TEAM_WRITE}, days=1, actor=cast.alice, now=timezone.now(),
    )  # fmt: skip
    bearer = {"Authorization": f"Bearer {value}"}
    bob = next(
        each
        for each in call(Client(), "GET", "members/", **bearer).json()
        if each["user"] == "bob@example.com"
    )
    for method, path, body in (
        ("PATCH", f"members/{bob['id']}/", '{"role": "owner"}'),
        ("DELETE", f"members/{bob['id']}/", None),
        ("POST", "invitations/", '{"email": "dave@example.com", "role": "owner"}'),
    ):
        assert call(Client(), method, path, body, **bearer).status_code == 403
    assert Member.objects.get(user=cast.bob).role == Role.DEVELOPER
    assert not Invitation.objects.exists()


def test_no_token_gives_or_takes_a_role_over_itself_and_nobody_owners(cast: Cast) -> None:
    """Else a stolen one makes its thief an owner, who takes out those that there were."""
    owner, bob = Member.objects.filter(tenant=cast.alice_corp).order_by("pk")
    for scopes, role, status in (
        ({Scope.TEAM_WRITE}, "billing", 409),
        (frozenset(Scope) - {Scope.USAGE_READ}, "billing", 409),
        (scopes_of(Member(role=Role.ADMIN)), "owner", 409),
        (scopes_of(bob) | {Scope.TEAM_WRITE}, "billing", 409),  # who may buy
        (scopes_of(bob) | {Scope.TEAM_WRITE, Scope.BILLING_WRITE}, "billing", 200),
    ):
        _token, value = api_token_create(
            tenant=cast.alice_corp, user=cast.alice, name="ci", scopes=scopes, days=1,
            actor=cast.alice, now=timezone.now(),
        )  # fmt: skip
        bearer = {"Authorization": f"Bearer {value}"}
        asked = f'{{"role": "{role}"}}'
        invited = f'{{"role": "{role}", "email": "dave@example.com"}}'
        of_bob = call(Client(), "PATCH", f"members/{bob.pk}/", asked, **bearer)
        assert of_bob.status_code == status, role
        sent = call(Client(), "POST", "invitations/", invited, **bearer)
        assert sent.status_code == (201 if status == 200 else status), role
    Member.objects.filter(pk=bob.pk).update(role=Role.OWNER)
    for member in (owner, bob):
        path = f"members/{member.pk}/"
        assert call(Client(), "DELETE", path, **bearer).status_code == 409
        signed_in = Client()
        signed_in.force_login(cast.alice)
        assert call(signed_in, "DELETE", path).status_code == 409
    assert Member.objects.filter(tenant=cast.alice_corp, role=Role.OWNER).count() == 2


def test_for_whatever_a_role_allows_there_is_a_scope() -> None:
    """Else a token gives a role that may do what the token itself may not."""
    of_scopes = {scope.act for scope in Scope}
    given = {
        act for role in Role if role != Role.OWNER for act in Act if may(Member(role=role), act)
    }
    assert given - of_scopes == {Act.CHANGE_TOKENS}  # which are made by tokens:write
    assert roles_within(frozenset(Scope)) == [Role.ADMIN, Role.DEVELOPER, Role.BILLING]
    lacking = {
        Scope.BILLING_WRITE: [Role.DEVELOPER],
        Scope.UPLOADS_WRITE: [Role.BILLING],
        Scope.SETTINGS_WRITE: [Role.DEVELOPER, Role.BILLING],
        Scope.TOKENS_WRITE: [],
    }
    for scope, roles in lacking.items():
        assert roles_within(frozenset(Scope) - {scope}) == roles, scope


def test_the_organisation_is_read_and_changed_in_part(cast: Cast, alice: Client) -> None:
    read = call(alice, "GET", "organisation/").json()
    changed = call(alice, "PATCH", "organisation/", '{"name": " New  name "}').json()
    assert changed == read | {"name": "New name"}
    japanese = call(alice, "PATCH", "organisation/", '{"language": "ja"}').json()
    assert japanese == call(alice, "GET", "organisation/").json() == changed | {"language": "ja"}
    for body in ('{"language": "xx"}', '{"name": " "}', '{"name": null}'):
        assert call(alice, "PATCH", "organisation/", body).status_code == 400
    assert AuditEntry.objects.filter(action="tenant.updated").count() == 2
