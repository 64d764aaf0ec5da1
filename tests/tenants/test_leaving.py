"""Asking for the end, keeping after all, and what an end waits for. No app above is asked here."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from tenants import services
from tenants.errors import NotInThisState
from tenants.models import (
    ApiKey,
    AuditEntry,
    HoldReason,
    LeavingPart,
    Mail,
    Member,
    OutboxEvent,
    Role,
    Tenant,
    TenantState,
    User,
    VersionStatus,
)
from tenants.permissions import Act
from tenants.selectors.members import users_of_no_other
from tenants.services import leaving_end
from tenants.services.mails import mail_members, mail_operators, mail_send, message
from tests.billing.races import at_once
from tests.cast import Cast
from tests.left import kinds_left, kinds_that_say
from tests.sessions import signed_in

pytestmark = pytest.mark.django_db
NOW = timezone.now()
WEEK = timedelta(days=7)


def test_it_stops_the_keys_and_tells_owners(cast: Cast) -> None:
    tenant = services.tenant_leave(tenant=cast.alice_corp, actor=cast.alice, now=NOW)
    assert (tenant.state, tenant.closes_at) == (TenantState.CLOSING, NOW + WEEK)
    assert tenant.holds.get(lifted_at=None).reason == HoldReason.DELETION
    entry = AuditEntry.objects.get(tenant=tenant, action="tenant.closing")
    assert entry.actor == cast.alice
    assert [mail.to for mail in Mail.objects.all()] == ["alice@example.com"]
    assert OutboxEvent.objects.filter(kind="tenant.closing", tenant=tenant).exists()
    with pytest.raises(NotInThisState, match="already"):
        services.tenant_leave(tenant=tenant, actor=cast.alice, now=NOW)


def test_nothing_new_is_taken_on_until_it_is_kept(cast: Cast) -> None:
    tenant = cast.alice_corp
    key = ApiKey.objects.get(tenant=tenant)
    services.tenant_leave(tenant=tenant, actor=cast.alice, now=NOW)
    for act in (
        lambda: services.api_key_create(tenant=tenant, name="n", actor=cast.alice, now=NOW),
        lambda: services.api_key_rotate(
            api_key=key, overlap=timedelta(0), actor=cast.alice, now=NOW
        ),
        lambda: services.invitation_create(
            tenant=tenant, email="d@example.com", role=Role.BILLING, actor=cast.alice, now=NOW
        ),
    ):
        with pytest.raises(NotInThisState, match="An owner can keep it"):
            act()
    kept = services.tenant_keep(tenant=tenant, actor=cast.alice, now=NOW + WEEK / 2)
    assert (kept.state, kept.closes_at) == (TenantState.ACTIVE, None)
    assert not tenant.holds.filter(lifted_at=None).exists()
    services.api_key_rotate(api_key=key, overlap=timedelta(0), actor=cast.alice, now=NOW)
    with pytest.raises(NotInThisState, match="not being deleted"):
        services.tenant_keep(tenant=tenant, actor=cast.alice, now=NOW)


def test_it_is_too_late_once_the_grace_is_over(cast: Cast) -> None:
    tenant = services.tenant_leave(tenant=cast.alice_corp, actor=cast.alice, now=NOW)
    leaving_end.leaving_sweep(now=NOW + WEEK - timedelta(seconds=1))
    assert not LeavingPart.objects.exists()
    with pytest.raises(NotInThisState, match="too late"):
        services.tenant_keep(tenant=tenant, actor=cast.alice, now=NOW + WEEK)
    leaving_end.leaving_sweep(now=NOW + WEEK)
    with pytest.raises(NotInThisState, match="too late"):  # by a clock that is behind
        services.tenant_keep(tenant=tenant, actor=cast.alice, now=NOW)
    key = ApiKey.objects.get(tenant=tenant)
    assert (key.revoked_at, key.versions.get().status) == (NOW + WEEK, VersionStatus.REVOKED)


@pytest.mark.django_db(transaction=True)
def test_it_is_kept_or_its_end_begins_and_never_both(cast: Cast) -> None:
    """In the grace's last second by one clock, and after it by another."""
    tenant = services.tenant_leave(tenant=cast.alice_corp, actor=cast.alice, now=NOW)
    kept, _swept = at_once(
        lambda: services.tenant_keep(
            tenant=tenant, actor=cast.alice, now=NOW + WEEK - timedelta(seconds=1)
        ),
        lambda: leaving_end.leaving_sweep(now=NOW + WEEK),
    )
    is_kept = not isinstance(kept, NotInThisState)
    tenant.refresh_from_db()
    assert tenant.state == (TenantState.ACTIVE if is_kept else TenantState.CLOSING)
    assert tenant.leaving_parts.exists() is not is_kept
    assert ApiKey.objects.filter(tenant=tenant, revoked_at=None).exists() is is_kept
    assert tenant.holds.filter(lifted_at=None).exists() is not is_kept


def test_it_waits_for_every_app_and_then_takes_its_people_along(cast: Cast) -> None:
    """Bob works for Charlie too, and stays; a tenant whose end fails keeps no other. What is being
    mailed is mailed first.
    """
    tenant, later = cast.alice_corp, NOW + WEEK
    Member.objects.create(
        tenant=cast.charlie_corp, user=cast.bob, role=Role.DEVELOPER, created_at=NOW
    )
    for each in (cast.charlie_corp, tenant):
        services.tenant_leave(tenant=each, actor=cast.alice, now=NOW)
    for _again in range(2):
        leaving_end.leaving_sweep(now=later)

    def fails_for_charlie(each: object, _now: object) -> str:
        if each == cast.charlie_corp:
            raise OSError("no disk")
        return ""

    for app in ("billing", "conversions"):
        leaving_end.leaving_sweep(now=later)
        tenant.refresh_from_db()
        assert tenant.state == TenantState.CLOSING
        services.leaving_parts_do(app=app, do=fails_for_charlie, now=later)
    told = mail_members(
        tenant=tenant, act=Act.CLOSE, kind="tenants.kept", key="last", context={}, now=later
    )
    leaving_end.leaving_sweep(now=later)
    tenant.refresh_from_db()
    assert tenant.state == TenantState.CLOSING
    for mail in told:
        mail_send(mail=mail, now=later)
    leaving_end.leaving_sweep(now=later)
    tenant.refresh_from_db()
    assert (tenant.state, tenant.name) == (TenantState.CLOSED, leaving_end.NAME)
    assert set(User.objects.values_list("email", flat=True)) == {
        "bob@example.com", "charlie@example.com",
    }  # fmt: skip
    assert kinds_left(tenant) == {
        "ApiKey", "ApiKeyVersion", "Entitlement", "LeavingPart", "OutboxEvent", "PlanSpan",
    }  # fmt: skip
    assert ApiKey.objects.get(tenant=tenant).name == leaving_end.KEY_NAME
    last = AuditEntry.objects.get(action="tenant.closed")
    assert last.data == {"asked_at": NOW.isoformat(), "asked_by": cast.alice.pk}
    cast.charlie_corp.refresh_from_db()
    assert cast.charlie_corp.state == TenantState.CLOSING
    waiting = LeavingPart.objects.filter(done_at=None)
    assert set(waiting.values_list("tenant", "waits_for")) == {(cast.charlie_corp.pk, "no disk")}


def test_who_joins_another_in_the_instant_of_the_end_keeps_the_account(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = services.tenant_leave(tenant=cast.alice_corp, actor=cast.alice, now=NOW)
    leaving_end.leaving_sweep(now=NOW + WEEK)
    tenant.leaving_parts.update(done_at=NOW)
    Mail.objects.all().delete()
    real = users_of_no_other

    def meanwhile(*, tenant: Tenant) -> Any:
        found = real(tenant=tenant)
        going = list(found)
        Member.objects.get_or_create(
            tenant=cast.charlie_corp, user=cast.bob,
            defaults={"role": Role.DEVELOPER, "created_at": NOW},
        )  # fmt: skip
        return User.objects.filter(pk__in=[user.pk for user in going])

    monkeypatch.setattr("tenants.services.leaving_end.users_of_no_other", meanwhile)
    leaving_end.leaving_sweep(now=NOW + WEEK)
    tenant.refresh_from_db()
    assert tenant.state == TenantState.CLOSED
    assert cast.charlie_corp.members.filter(user=cast.bob).exists()
    assert not User.objects.filter(pk=cast.alice.pk).exists()


def test_operators_hear_of_what_waits_for_long_though_one_telling_fails(cast: Cast) -> None:
    operator = User.objects.create_superuser("operator@example.com", "x")
    for tenant in (cast.alice_corp, cast.charlie_corp):
        LeavingPart.objects.create(tenant=tenant, app="billing", begun_at=NOW - WEEK)
    mailing = "tenants.services.leaving_end.mail_operators"
    once = [RuntimeError("boom"), mock.DEFAULT]
    with mock.patch(mailing, wraps=mail_operators, side_effect=once):
        leaving_end.leaving_sweep(now=NOW)
    assert Mail.objects.filter(to=operator.email).count() == 1
    leaving_end.leaving_sweep(now=NOW)
    assert Mail.objects.filter(to=operator.email).count() == 2


def test_every_page_says_so_and_an_owner_keeps_it(cast: Cast) -> None:
    services.tenant_leave(tenant=cast.alice_corp, actor=cast.alice, now=timezone.now())
    owner, member = signed_in(cast.alice), signed_in(cast.bob)
    for browser, offers in ((owner, True), (member, False)):
        page = browser.get("/team/").content.decode()
        assert "Alice Corp is deleted on" in page
        assert ("Keep the organisation" in page) is offers
    refused = owner.post("/keys/create/", {"name": "n"}, follow=True)
    assert "it takes nothing new on" in text_of(refused)
    assert owner.get("/settings/delete/")["Location"] == "/settings/"
    kept = owner.post("/settings/keep/", follow=True)
    assert "The organisation is kept." in text_of(kept)


def text_of(answer: object) -> str:
    return str(answer.content.decode())  # type: ignore[attr-defined]  # the test client's


def test_the_log_of_operators_names_nobody_who_has_gone(
    cast: Cast, admin_user: User, client: Client
) -> None:
    client.force_login(admin_user)
    for what, fields in (
        (f"tenant/{cast.alice_corp.pk}", {"name": "Alice Inc", "language": "ja"}),
        (f"user/{cast.alice.pk}", {"email": cast.alice.email, "language": "ja"}),
    ):
        page = f"/admin/tenants/{what}/change/"
        inlines = {
            f"{name}-{count}_FORMS": 0
            for name in ("members", "holds")
            for count in ("TOTAL", "INITIAL")
        }
        assert client.post(page, fields | inlines).status_code == 302
    assert kinds_that_say("alice@example.com") >= {"LogEntry"}
    services.tenant_leave(tenant=cast.alice_corp, actor=None, now=NOW)
    leaving_end.leaving_sweep(now=NOW + WEEK)
    LeavingPart.objects.update(done_at=NOW + WEEK)
    leaving_end.leaving_sweep(now=NOW + WEEK)
    assert set(LogEntry.objects.values_list("object_repr", flat=True)) == {"deleted"}
    assert kinds_that_say("alice@example.com") == kinds_that_say("Alice Inc") == set()


def test_operators_ask_for_it_and_keep_it(cast: Cast, admin_user: User, client: Client) -> None:
    client.force_login(admin_user)
    chosen = {"_selected_action": [cast.alice_corp.pk]}
    changelist = "/admin/tenants/tenant/"
    for action, state in (("leave", TenantState.CLOSING), ("keep", TenantState.ACTIVE)):
        assert client.post(changelist, {"action": action, **chosen}).status_code == 302
        cast.alice_corp.refresh_from_db()
        assert cast.alice_corp.state == state
    told = message(Mail.objects.get(kind="tenants.closing")).body
    assert "The operator deletes Alice Corp." in told
    assert admin_user.email not in told
