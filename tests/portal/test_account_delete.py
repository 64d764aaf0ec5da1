"""Somebody deletes their own account: what asks, what refuses, what goes and what stays."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tenants.errors import Refused
from tenants.models import ApiKey, ApiToken, AuditEntry, Mail, Member, Role, User
from tenants.scopes import Scope
from tenants.services import account_delete, api_token_create, tenant_leave
from tenants.services.audit import audit_record
from tenants.services.mails import mail_person, mails_prune, message
from tests.answers import text
from tests.billing.races import at_once
from tests.cast import PASSWORD, Cast
from tests.left import kinds_that_say
from tests.sessions import signed_in, signed_in_long_ago

pytestmark = pytest.mark.django_db
PAGE = "/settings/security/delete/"
BOB = "bob@example.com"
NOW = timezone.now()


def tokens_of_bob(cast: Cast) -> None:
    """Give Bob a personal token, and have him make the organisation one as an admin."""
    Member.objects.filter(user=cast.bob).update(role=Role.ADMIN)
    for user in (cast.bob, None):
        api_token_create(
            tenant=cast.alice_corp, user=user, name="nightly", scopes=[Scope.KEYS_READ], days=None,
            actor=cast.bob, now=NOW,
        )  # fmt: skip


def test_who_types_the_address_goes_and_what_they_made_stays(cast: Cast) -> None:
    tokens_of_bob(cast)
    ApiKey.objects.filter(tenant=cast.alice_corp).update(created_by=cast.bob)
    TOTP.activate(cast.bob, "JBSWY3DPEHPK3PXP")
    EmailAddress.objects.create(user=cast.bob, email=BOB, verified=True, primary=True)
    audit_record(action="sign_up.requested", tenant=None, actor=cast.bob, now=NOW)
    mail_person(user=cast.bob, kind="billing.sign_up_refused", context={}, now=NOW)
    for model, pk in ((User, cast.bob.pk), (EmailAddress, 53), (EmailAddress, 54)):
        other = pk == 54  # somebody else's, whose address has Bob's in it
        LogEntry.objects.create(
            user=cast.alice, content_type=ContentType.objects.get_for_model(model),
            object_id=str(pk), object_repr=f"not-{BOB}" if other else BOB, action_flag=CHANGE,
        )  # fmt: skip
    elsewhere = signed_in_long_ago(cast.bob)
    browser = signed_in(cast.bob)
    page = text(browser.get(PAGE))
    assert "You leave Alice Corp." in page
    assert "Delete my account" in page
    wrong = browser.post(PAGE, {"email": "alice@example.com"})
    assert wrong.status_code == 400
    assert "not the address of this account, bob@example.com" in text(wrong)
    assert User.objects.filter(pk=cast.bob.pk).exists()

    landed = browser.post(PAGE, {"email": "Bob@example.com"}, follow=True)
    assert landed.redirect_chain == [("/", 302)]
    assert "Your account is deleted." in text(landed)
    for each in (browser, elsewhere):
        assert each.get("/settings/security/").status_code == 302
    assert not Session.objects.filter(session_key=elsewhere.session.session_key).exists()
    assert not UserSession.objects.exists()
    assert ApiToken.objects.get().is_machines
    assert ApiKey.objects.get(tenant=cast.alice_corp).revoked_at is None
    entry = AuditEntry.objects.get(tenant=cast.alice_corp, action="member.left")
    assert (entry.actor, entry.actor_name) == (None, BOB)
    assert AuditEntry.objects.get(action="account.deleted").target == str(cast.bob.pk)
    assert AuditEntry.objects.get(action="sign_up.requested").actor_name == ""
    mail = message(Mail.objects.get(tenant=None))
    assert (mail.subject, mail.to) == ("Your account is deleted", [BOB])
    LogEntry.objects.get(object_repr=f"not-{BOB}").delete()
    assert kinds_that_say(BOB) == {"AuditEntry", "Mail"}
    mails_prune(now=timezone.now() + timedelta(days=30))
    assert kinds_that_say(BOB) == {"AuditEntry"}
    account_delete(user=cast.bob, now=NOW)  # another click
    assert not Mail.objects.exists()


def test_who_signed_in_long_ago_confirms_and_it_goes_on(cast: Cast) -> None:
    browser = signed_in_long_ago(cast.bob)
    asked = browser.post(PAGE, {"email": BOB})["Location"]
    assert asked == f"/accounts/reauthenticate/?next={quote(PAGE, safe='')}"
    assert User.objects.filter(pk=cast.bob.pk).exists()
    landed = browser.post(asked, {"password": PASSWORD}, follow=True)
    assert "Your account is deleted." in text(landed)
    assert not User.objects.filter(pk=cast.bob.pk).exists()


def test_the_only_owner_is_led_to_what_is_to_be_done_first(cast: Cast) -> None:
    Member.objects.create(
        tenant=cast.charlie_corp, user=cast.alice, role=Role.OWNER, created_at=NOW
    )
    browser = signed_in(cast.alice)
    page = text(browser.get(PAGE))
    assert "You are the only owner of Alice Corp" in page
    assert "only owner of Charlie Corp" not in page
    assert 'name="email"' not in page
    refused = browser.post(PAGE, {"email": "alice@example.com"}, follow=True)
    assert "Nobody else owns Alice Corp." in text(refused)
    assert User.objects.filter(pk=cast.alice.pk).exists()
    form = {"tenant": str(cast.alice_corp.uuid)}
    for to, page in (("team", "/team/"), ("leaving", "/settings/delete/"), ("x", "/dashboard/")):
        assert browser.post("/tenants/switch/", {**form, "to": to})["Location"] == page
    tenant_leave(tenant=cast.alice_corp, actor=cast.alice, now=NOW)
    page = text(browser.get(PAGE))
    assert "It is being deleted. If you belong to no other then, your account goes with it." in page
    with pytest.raises(Refused, match="Nobody else owns Alice Corp"):
        account_delete(user=cast.alice, now=NOW)


def test_an_operator_stays_one(admin_user: User) -> None:
    browser = signed_in(admin_user)
    assert "You are an operator" in text(browser.get(PAGE))
    refused = browser.post(PAGE, {"email": admin_user.email}, follow=True)
    assert "another operator takes the rights first" in text(refused)
    assert User.objects.filter(pk=admin_user.pk).exists()


def test_an_operator_deletes_accounts_as_people_do_and_no_other_way(
    cast: Cast, admin_user: User
) -> None:
    browser, page = signed_in(admin_user), "/admin/tenants/user/"
    chosen = [cast.alice.pk, cast.bob.pk, admin_user.pk]
    form = {"action": "forget", "_selected_action": chosen}
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="change_user"))
    signed_in(clerk).post(page, {**form, "answered": "yes"})
    assert User.objects.filter(pk__in=chosen).count() == 3
    assert browser.post(f"{page}{cast.alice.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "alice@example.com, bob@example.com" in text(browser.post(page, form))
    assert User.objects.filter(pk__in=chosen).count() == 3
    told = text(browser.post(page, {**form, "answered": "yes"}, follow=True))
    assert "1 account is deleted." in told
    assert "alice@example.com: Nobody else owns Alice Corp." in told
    assert "another operator takes the rights first" in told
    assert list(User.objects.filter(pk__in=chosen)) == [cast.alice, admin_user]
    entry = AuditEntry.objects.get(tenant=cast.alice_corp, action="member.left")
    assert (entry.actor, entry.target, entry.actor_name) == (admin_user, BOB, "")


def test_who_belongs_to_nobody_finds_it_too(cast: Cast) -> None:
    Member.objects.filter(user=cast.bob).delete()
    browser = signed_in(cast.bob)
    assert 'href="/settings/security/"' in text(browser.get("/dashboard/"))
    assert f'href="{PAGE}"' in text(browser.get("/settings/security/"))
    assert "You leave" not in text(browser.get(PAGE))
    browser.post(PAGE, {"email": BOB})
    assert "_auth_user_id" not in browser.session
    assert Client().login(email=BOB, password=PASSWORD) is False


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
def test_two_owners_who_go_at_once_leave_one(cast: Cast) -> None:
    Member.objects.filter(user=cast.bob).update(role=Role.OWNER)
    outcomes = at_once(
        lambda: account_delete(user=cast.alice, now=NOW),
        lambda: account_delete(user=cast.bob, now=NOW),
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "Refused"]
    assert Member.objects.get(tenant=cast.alice_corp).role == Role.OWNER
