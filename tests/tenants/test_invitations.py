"""Invitations: their mail, their limits, and every way in which one ends."""

from datetime import timedelta
from functools import partial

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from tenants import services
from tenants.errors import Refused
from tenants.invitation_tokens import token_of
from tenants.models import AuditEntry, Invitation, InvitationState, Mail, Member, Role, Tenant, User
from tenants.selectors import Standing, invitation_by_token, standing
from tenants.services.invitations import LIFETIME, MOST_OPEN, MOST_SENT
from tenants.services.mails import mail_add, mail_send, mails_waiting, message
from tests.billing.races import at_once
from tests.cast import Cast

NOW = timezone.now()
DAVE = "dave@example.com"

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    return cast.alice_corp


@pytest.fixture
def invitation(cast: Cast) -> Invitation:
    return invite(cast)


def invite(cast: Cast, email: str = DAVE, role: str = Role.DEVELOPER) -> Invitation:
    return services.invitation_create(
        tenant=cast.alice_corp, email=email, role=role, actor=cast.alice, now=NOW
    )


def token(invitation: Invitation) -> str:
    return token_of(invitation_uuid=invitation.uuid, sendings=invitation.sendings)


class TestMail:
    def test_has_the_link_which_is_in_no_row(self, invitation: Invitation) -> None:
        (waiting,) = mails_waiting(now=NOW)
        assert mail_send(mail=waiting, now=NOW)
        assert not mail_send(mail=waiting, now=NOW)
        (sent,) = outbox.outbox
        link = f"http://localhost:8000/invitations/{token(invitation)}/"
        assert sent.to == [DAVE]
        assert sent.subject == "alice@example.com invites you to Alice Corp"
        assert link in sent.body
        assert isinstance(sent, EmailMultiAlternatives)
        ((html, kind),) = sent.alternatives
        assert kind == "text/html"
        assert f'href="{link}"' in str(html)
        rows = [*Mail.objects.values(), *Invitation.objects.values(), *AuditEntry.objects.values()]
        assert token(invitation) not in str(rows)
        assert invitation_by_token(token=token(invitation)) == invitation
        assert invitation_by_token(token=invitation.token_digest) is None

    def test_is_in_the_tenants_language_and_names_cannot_be_markup(
        self, cast: Cast, tenant: Tenant
    ) -> None:
        Tenant.objects.filter(pk=tenant.pk).update(language="ja", name="<b>Ltd</b>")
        invite(cast)
        made = message(Mail.objects.get())
        assert "招待" in made.subject
        assert "<b>Ltd</b>" in made.body
        assert "<b>" not in str(made.alternatives[0][0])

    def test_is_of_no_use_once_the_invitation_has_ended(self, invitation: Invitation) -> None:
        Invitation.objects.update(state=InvitationState.WITHDRAWN)
        assert mails_waiting(now=NOW) == []


class TestLimits:
    def test_who_may_invite_whom(self, cast: Cast, tenant: Tenant) -> None:
        create = partial(services.invitation_create, tenant=tenant, email=DAVE, now=NOW)
        Member.objects.filter(user=cast.bob).update(role=Role.ADMIN)
        for actor, role in (
            (cast.bob, Role.OWNER), (cast.charlie, Role.BILLING), (cast.alice, "emperor"),
        ):  # fmt: skip
            with pytest.raises(Refused, match=r"may not|not a member"):
                create(actor=actor, role=role)
        for email, why in (("Bob@Example.com", "member already"), (DAVE.upper(), "invited")):
            create(actor=cast.alice, role=Role.OWNER) if why == "invited" else None
            with pytest.raises(Refused, match=why):
                create(actor=cast.alice, role=Role.ADMIN, email=email)

    def test_open_ones_and_mails_of_a_day(
        self, cast: Cast, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tenants.services.invitations.MOST_OPEN", 2)
        monkeypatch.setattr("tenants.services.invitations.MOST_SENT", 3)
        assert MOST_OPEN < MOST_SENT
        first, _second = invite(cast, "d1@example.com"), invite(cast, "d2@example.com")
        with pytest.raises(Refused, match="At most 2"):
            invite(cast, "d3@example.com")
        services.invitation_withdraw(invitation=first, actor=cast.alice, now=NOW)
        third = invite(cast, "d3@example.com")
        resend = partial(services.invitation_resend, invitation=third, actor=cast.alice)
        with pytest.raises(Refused, match="tomorrow"):
            resend(now=NOW)
        resend(now=NOW + timedelta(days=1))


class TestAnswers:
    def test_accepted_once(self, invitation: Invitation, cast: Cast, tenant: Tenant) -> None:
        dave = User.objects.create_user(DAVE)
        member = services.invitation_accept(invitation=invitation, user=dave, now=NOW)
        assert (member.tenant, member.role) == (tenant, Role.DEVELOPER)
        with pytest.raises(Refused, match="has ended"):
            services.invitation_accept(invitation=invitation, user=cast.charlie, now=NOW)
        told = Mail.objects.get(kind="tenants.joined")
        assert told.to == "alice@example.com"
        assert "dave@example.com has joined Alice Corp" in message(told).subject
        entry = AuditEntry.objects.get(action="invitation.accepted")
        assert (entry.actor, entry.data) == (dave, {"role": "developer"})

    def test_a_member_who_accepts_keeps_their_role(self, cast: Cast, tenant: Tenant) -> None:
        invitation = invite(cast, "bobs-other@example.com", Role.OWNER)
        member = services.invitation_accept(invitation=invitation, user=cast.bob, now=NOW)
        assert member.role == Role.DEVELOPER

    def test_declined_withdrawn_and_late(self, cast: Cast) -> None:
        declined, withdrawn, late = (invite(cast, f"d{n}@example.com") for n in range(3))
        services.invitation_decline(invitation=declined, now=NOW)
        services.invitation_decline(invitation=declined, now=NOW)
        services.invitation_withdraw(invitation=withdrawn, actor=cast.alice, now=NOW)
        for each, now in ((declined, NOW), (withdrawn, NOW), (late, NOW + LIFETIME)):
            with pytest.raises(Refused, match="has ended"):
                services.invitation_accept(invitation=each, user=cast.charlie, now=now)
        for each in (declined, withdrawn):
            with pytest.raises(Refused, match="has ended"):
                services.invitation_resend(invitation=each, actor=cast.alice, now=NOW)
        again = services.invitation_create(
            tenant=late.tenant, email=late.email, role=Role.BILLING, actor=cast.alice,
            now=NOW + LIFETIME,
        )  # fmt: skip
        assert again != late
        assert AuditEntry.objects.filter(action="invitation.declined").count() == 1

    def test_a_new_link_ends_the_one_before(self, invitation: Invitation, cast: Cast) -> None:
        before = token(invitation)
        again = services.invitation_resend(
            invitation=invitation, actor=cast.alice, now=NOW + LIFETIME
        )
        assert invitation_by_token(token=before) is None
        assert invitation_by_token(token=token(again)) == invitation
        assert standing(invitation=again, now=NOW + LIFETIME) is Standing.OPEN

    def test_it_falls_with_the_right_of_whoever_sent_it(
        self, invitation: Invitation, cast: Cast
    ) -> None:
        alice = Member.objects.filter(user=cast.alice)
        for change in (
            lambda: User.objects.filter(pk=cast.alice.pk).update(is_active=False),
            lambda: alice.update(role=Role.BILLING),
            alice.delete,
        ):
            User.objects.update(is_active=True)
            alice.update(role=Role.OWNER)
            assert standing(invitation=invitation, now=NOW) is Standing.OPEN
            change()
            assert standing(invitation=invitation, now=NOW) is Standing.VOID
            with pytest.raises(Refused, match="has ended"):
                services.invitation_accept(invitation=invitation, user=cast.charlie, now=NOW)


def test_an_account_that_was_deleted_meanwhile_joins_nothing(
    invitation: Invitation, tenant: Tenant
) -> None:
    dave = User.objects.create_user(DAVE)
    services.account_delete(user=dave, now=NOW)
    with pytest.raises(Refused, match="was deleted"):
        services.invitation_accept(invitation=invitation, user=dave, now=NOW)
    invitation.refresh_from_db()
    assert standing(invitation=invitation, now=NOW) is Standing.OPEN
    assert tenant.members.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
def test_of_two_who_accept_at_once_one_joins(cast: Cast, tenant: Tenant) -> None:
    invitation = invite(cast)
    dave = User.objects.create_user(DAVE)
    accept = partial(services.invitation_accept, invitation=invitation, now=NOW)
    outcomes = at_once(lambda: accept(user=dave), lambda: accept(user=cast.charlie))
    assert sum(isinstance(each, Refused) for each in outcomes) == 1
    assert tenant.members.count() == 3


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_mail_about_members_says_what_it_is_about(tenant: Tenant, language: str) -> None:
    tenant.language = language
    for kind in ("joined", "role_changed", "removed", "transferred"):
        mail = mail_add(
            tenant=tenant, kind=f"tenants.{kind}", to=DAVE, now=NOW,
            context={"role": Role.ADMIN, "by": DAVE, "who": DAVE, "owner": DAVE, "previous": DAVE},
        )  # fmt: skip
        made = message(mail)
        assert "Alice Corp" in made.subject
        assert DAVE in made.body
        assert made.subject.isascii() == (language == "en")
