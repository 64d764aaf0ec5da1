"""The link of an invitation in every hand, and the team page with its switcher."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.utils import timezone

import billing.services
from tenants.models import Invitation, InvitationState, Member, Role, Tenant, User
from tests.answers import text
from tests.cast import PASSWORD, Cast
from tests.portal.invitations import DAVE, invite
from tests.sessions import signed_in, signed_in_long_ago

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(cast: Cast) -> Cast:
    billing.services.seed(now=timezone.now())
    return cast


@pytest.fixture
def alice(cast: Cast) -> Client:
    return signed_in(cast.alice)


class TestLink:
    def test_a_new_person_makes_an_account_and_no_organisation(self, cast: Cast) -> None:
        address, client = invite(cast), Client()
        page = client.get(address)
        assert f"It is for {DAVE}." in text(page)
        assert f"next={address}" in text(page)
        form = {"email": "else@example.com", "password1": PASSWORD, "password2": PASSWORD}
        tenants = Tenant.objects.count()
        landed = client.post(f"{address}join/", form, follow=True)
        assert landed.redirect_chain[-1] == ("/dashboard/", 302)
        assert landed.context["tenant"] == cast.alice_corp
        assert "You have joined Alice Corp." in text(landed)
        assert Tenant.objects.count() == tenants
        dave = Member.objects.get(user__email=DAVE)
        assert dave.role == Role.DEVELOPER
        proven = EmailAddress.objects.get(user=dave.user)
        assert (proven.email, proven.verified, proven.primary) == (DAVE, True, True)
        assert not User.objects.filter(email="else@example.com").exists()
        again = client.get(address)
        assert again.status_code == 410
        assert "accepted already" in text(again)
        assert client.post(f"{address}join/", form).status_code == 302

    def test_mail_verification_does_not_stop_who_had_the_link(
        self, cast: Cast, settings: Any
    ) -> None:
        settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
        form = {"password1": PASSWORD, "password2": PASSWORD}
        landed = Client().post(f"{invite(cast)}join/", form, follow=True)
        assert landed.redirect_chain[-1] == ("/dashboard/", 302)

    def test_a_bad_password_is_told_and_nobody_joins(self, cast: Cast) -> None:
        address = invite(cast)
        answer = Client().post(f"{address}join/", {"password1": PASSWORD, "password2": "x"})
        assert "password2" in answer.context["form"].errors
        assert not User.objects.filter(email=DAVE).exists()
        assert Invitation.objects.get().state == InvitationState.OPEN

    def test_somebody_with_an_account_signs_in_and_works_for_the_new_tenant(
        self, cast: Cast
    ) -> None:
        address, client = invite(cast, "Charlie@example.com"), Client()
        form = {"password1": PASSWORD, "password2": PASSWORD}
        assert "already registered" in text(client.post(f"{address}join/", form))
        client.post(f"/accounts/login/?next={address}", {"login": cast.charlie.email, "password": PASSWORD})  # fmt: skip  # noqa: E501
        landed = client.post(f"{address}accept/", follow=True)
        assert landed.context["tenant"] == cast.alice_corp
        assert EmailAddress.objects.get(user=cast.charlie).verified
        names = [each.tenant.name for each in landed.context["memberships"]]
        assert names == ["Alice Corp", "Charlie Corp"]
        left = client.post("/team/leave/", follow=True)
        assert left.context["tenant"] == cast.charlie_corp

    def test_somebody_elses_account_is_told_so_and_does_not_join(self, cast: Cast) -> None:
        address, charlie = invite(cast), signed_in(cast.charlie)
        page = text(charlie.get(address))
        assert f"This invitation is for {DAVE}" in page
        assert "You are signed in as charlie@example.com." in page
        assert "accept/" not in page
        assert charlie.post(f"{address}accept/")["Location"] == address
        assert f'name="next" value="{address}"' in page
        assert charlie.get(f"{address}join/")["Location"] == address
        # An address that Charlie only claims is not his.
        EmailAddress.objects.create(user=cast.charlie, email=DAVE, verified=False)
        charlie.post(f"{address}accept/")
        assert charlie.post("/accounts/logout/", {"next": address})["Location"] == address
        assert cast.alice_corp.members.count() == 2

    def test_one_that_has_ended_says_why(self, cast: Cast) -> None:
        client = Client()
        address = invite(cast)
        cases: dict[str, dict[str, object]] = {
            "It was withdrawn": {"state": InvitationState.WITHDRAWN},
            "seven days, which are over": {"expires_at": timezone.now() - timedelta(seconds=1)},
            "may not invite you any more": {"invited_by": cast.bob},
        }
        for said, change in cases.items():
            Invitation.objects.update(**{
                "state": InvitationState.OPEN, "invited_by": cast.alice,
                "expires_at": timezone.now() + timedelta(days=1), **change,
            })  # fmt: skip
            page = client.get(address)
            assert page.status_code == 410
            assert said in text(page)
            assert client.get(f"{address}join/").status_code == 302
        Invitation.objects.update(invited_by=cast.alice)
        assert "It was declined." in text(client.post(f"{address}decline/", follow=True))
        assert client.get("/invitations/nonsense/").status_code == 404


class TestTeam:
    def test_inviting_says_the_same_of_known_and_unknown_addresses(
        self, cast: Cast, alice: Client
    ) -> None:
        said = []
        for email in (DAVE, "charlie@example.com"):
            page = alice.post("/team/invite/", {"email": email, "role": "billing"}, follow=True)
            (message,) = page.context["messages"]
            said.append(str(message).replace(email, "…"))
        assert len(set(said)) == 1
        rows = page.context["invitations"]
        assert [row["invitation"].email for row in rows] == [DAVE, "charlie@example.com"]
        again = alice.post("/team/invite/", {"email": DAVE, "role": "billing"})
        assert again.status_code == 400
        assert "is invited already" in text(again)

    def test_invitations_are_sent_again_and_withdrawn(self, cast: Cast, alice: Client) -> None:
        address = invite(cast)
        made = Invitation.objects.get()
        alice.post(f"/team/invitations/{made.uuid}/resend/")
        assert Client().get(address).status_code == 404
        page = alice.post(f"/team/invitations/{made.uuid}/withdraw/", follow=True)
        assert page.context["invitations"] == []
        ended = alice.post(f"/team/invitations/{made.uuid}/withdraw/", follow=True)
        assert "has ended" in text(ended)

    def test_shows_what_each_role_may_do_and_offers_no_more(self, cast: Cast) -> None:
        page = text(signed_in(cast.bob).get("/team/"))
        assert "Invite people, change their roles, remove them" in page
        assert "Send invitation" not in page
        assert "Change role" not in page

    def test_roles_change_and_members_go(self, cast: Cast, alice: Client) -> None:
        bob = Member.objects.get(user=cast.bob)
        page = alice.post(f"/team/members/{bob.pk}/role/", {"role": "billing"}, follow=True)
        assert "The role of bob@example.com was changed." in text(page)
        bob.refresh_from_db()
        assert bob.role == Role.BILLING
        refused = alice.post(f"/team/members/{bob.pk}/role/", {"role": "emperor"}, follow=True)
        assert "Your role may not do this." in text(refused)
        browser = signed_in(cast.bob)
        alice.post(f"/team/members/{bob.pk}/remove/")
        assert browser.get("/dashboard/").status_code == 404
        assert "needs an owner" in text(alice.post("/team/leave/", follow=True))

    def test_handing_over_asks_for_the_password_of_who_signed_in_long_ago(self, cast: Cast) -> None:
        alice = signed_in_long_ago(cast.alice)
        bob = Member.objects.get(user=cast.bob)
        asked = alice.post(f"/team/members/{bob.pk}/transfer/")
        assert asked["Location"].startswith("/accounts/reauthenticate/")
        assert Member.objects.get(user=cast.alice).role == Role.OWNER
        page = alice.post(asked["Location"], {"password": PASSWORD}, follow=True)
        assert "bob@example.com is the owner now." in text(page)
        assert Member.objects.get(user=cast.alice).role == Role.ADMIN

    def test_owners_are_made_and_unmade_with_the_password(self, cast: Cast) -> None:
        alice = signed_in_long_ago(cast.alice)
        bob = Member.objects.get(user=cast.bob)
        role, owners = f"/team/members/{bob.pk}/role/", {"role": "owner"}
        for address, form in ((role, owners), ("/team/invite/", {"email": DAVE, **owners})):
            asked = alice.post(address, form)["Location"]
            assert asked.startswith("/accounts/reauthenticate/")
        assert not Invitation.objects.exists()
        assert "invitation is on its way" in text(
            alice.post(asked, {"password": PASSWORD}, follow=True)
        )
        alice.post(role, owners)  # the password is known of late
        bob.refresh_from_db()
        assert bob.role == Role.OWNER
        later = signed_in_long_ago(cast.alice)
        for address in (role, f"/team/members/{bob.pk}/remove/"):
            asked = later.post(address, {"role": "billing"})["Location"]
            assert asked.startswith("/accounts/reauthenticate/")
        assert Member.objects.filter(user=cast.bob, role=Role.OWNER).exists()


def test_only_the_last_owner_is_not_offered_to_leave(cast: Cast) -> None:
    why = "An organisation needs an owner"
    assert why in text(signed_in(cast.alice).get("/team/"))
    assert why not in text(signed_in(cast.bob).get("/team/"))
