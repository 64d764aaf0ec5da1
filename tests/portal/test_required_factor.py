"""A tenant that requires a second factor: who is kept out, from what, and how they come in."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.test import Client
from django.utils import timezone

from tenants.invitation_tokens import token_of
from tenants.models import AuditEntry, Member, Role, User
from tenants.scopes import Scope
from tenants.services import api_token_create, invitation_create, second_factor_require
from tests.answers import text
from tests.cast import Cast
from tests.sessions import signed_in, signed_in_long_ago

pytestmark = pytest.mark.django_db

PAGE = "/settings/security/"
REQUIRE = "/settings/security/required/"
HOW = "requires a second factor"


def factor_of(user: User) -> Authenticator:
    """Give somebody an authenticator app."""
    made: Authenticator = TOTP.activate(user, "JBSWY3DPEHPK3PXP").instance
    return made


@pytest.fixture
def strict(cast: Cast) -> Cast:
    """Alice, who has a second factor, requires one; Bob has none."""
    factor_of(cast.alice)
    now = timezone.now()
    second_factor_require(tenant=cast.alice_corp, is_required=True, actor=cast.alice, now=now)
    return cast


def test_an_owner_who_has_one_requires_it_and_lets_it_be_again(cast: Cast) -> None:
    alice = signed_in(cast.alice)
    page = text(alice.get(PAGE))
    assert "To require it of others, set one up yourself first." in page
    refused = alice.post(REQUIRE, {"required": "yes"}, follow=True)
    assert "Set up a second factor of your own first." in text(refused)
    assert "from now on" not in text(refused)
    factor_of(cast.alice)
    long_ago = signed_in_long_ago(cast.alice)
    asked = long_ago.post(REQUIRE, {"required": "yes"})
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    Member.objects.create(
        tenant=cast.alice_corp, user=cast.charlie, role=Role.ADMIN, created_at=timezone.now()
    )
    admin = signed_in(cast.charlie)
    admin.post("/tenants/switch/", {"tenant": cast.alice_corp.uuid})
    assert admin.post(REQUIRE, {"required": "yes"}).status_code == 403
    assert "An owner can change this." in text(admin.get(PAGE))
    for answer in ("yes", "yes", "no"):
        alice.post(REQUIRE, {"required": answer})
        cast.alice_corp.refresh_from_db()
        assert cast.alice_corp.requires_second_factor is (answer == "yes")
    assert list(
        AuditEntry.objects.filter(action__contains="factor", actor=cast.alice)
        .order_by("id")
        .values_list("action", flat=True)
    ) == ["tenant.second_factor_required", "tenant.second_factor_not_required"]


def test_who_has_none_sees_only_how_to_set_one_up(strict: Cast) -> None:
    bob = signed_in(strict.bob)
    for address in ("/dashboard/", "/keys/", "/billing/", "/usage.csv", "/settings/"):
        barred = bob.get(address)
        assert barred.status_code == 403
        assert f"Alice Corp {HOW}" in text(barred)
    assert bob.post("/keys/create/", {"name": "more"}).status_code == 403
    assert strict.alice_corp.api_keys.count() == 1
    assert "Alice Corp" not in text(bob.get(PAGE))  # a person's own page, which still opens
    assert bob.get("/accounts/2fa/totp/activate/").status_code == 200
    factor_of(strict.bob)
    assert bob.get("/dashboard/").status_code == 200
    assert signed_in(strict.alice).get("/dashboard/").status_code == 200


def test_they_may_switch_or_leave(strict: Cast) -> None:
    Member.objects.create(
        tenant=strict.charlie_corp, user=strict.bob, role=Role.ADMIN, created_at=timezone.now()
    )
    bob = signed_in(strict.bob)
    assert "Switch to Charlie Corp" in text(bob.get("/dashboard/"))
    bob.post("/tenants/switch/", {"tenant": strict.charlie_corp.uuid})
    assert bob.get("/dashboard/").status_code == 200
    bob.post("/tenants/switch/", {"tenant": strict.alice_corp.uuid})
    assert bob.get("/dashboard/").status_code == 403
    bob.post("/team/leave/")
    assert not Member.objects.filter(tenant=strict.alice_corp, user=strict.bob).exists()


def test_the_api_refuses_sessions_and_personal_tokens_but_no_machines(strict: Cast) -> None:
    now = timezone.now()
    values = [
        api_token_create(
            tenant=strict.alice_corp, user=user, name="t", scopes={Scope.KEYS_READ}, days=1,
            actor=strict.alice, now=now,
        )[1]
        for user in (strict.bob, None)
    ]  # fmt: skip
    personal, machine = (
        Client(headers={"Authorization": f"Bearer {value}"}).get("/api/v1/keys/")
        for value in values
    )
    for refused in (personal, signed_in(strict.bob).get("/api/v1/keys/")):
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    assert machine.status_code == 200


def test_managers_see_who_has_one_and_the_invited_are_told(strict: Cast) -> None:
    page = text(signed_in(strict.alice).get("/team/"))
    assert page.count('data-label="Second factor">On') == 1
    assert page.count('data-label="Second factor"><span class="muted">Off') == 1
    factor_of(strict.bob)
    assert "Second factor" not in text(signed_in(strict.bob).get("/team/"))
    invitation = invitation_create(
        tenant=strict.alice_corp, email="dave@example.com", role=Role.ADMIN, actor=strict.alice,
        now=timezone.now(),
    )  # fmt: skip
    token = token_of(invitation_uuid=invitation.uuid, sendings=1)
    assert "A second factor is required there" in text(Client().get(f"/invitations/{token}/"))


def test_the_last_one_is_removed_with_a_warning(strict: Cast) -> None:
    alice = signed_in(strict.alice)
    assert f"Alice Corp {HOW}" in text(alice.get("/accounts/2fa/totp/deactivate/"))
    key = Authenticator.objects.create(
        user=strict.alice, type=Authenticator.Type.WEBAUTHN, data={"name": "k", "credential": {}}
    )
    assert HOW not in text(alice.get("/accounts/2fa/totp/deactivate/"))
    alice.post("/accounts/2fa/totp/deactivate/")
    assert f"Alice Corp {HOW}" in text(alice.get(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/"))
    alice.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/")
    assert alice.get("/dashboard/").status_code == 403
