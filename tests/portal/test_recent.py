"""Confirming who one is, before what is dangerous: what asks, and what becomes of the request."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

import billing.services
from billing.models import Currency, Order, SavedCard
from tenants.models import ApiKey, ApiToken, AuditEntry, Member, Role, Tenant, User, WebhookEndpoint
from tests.answers import text
from tests.cast import PASSWORD
from tests.sessions import signed_in, signed_in_long_ago

pytestmark = pytest.mark.django_db

JSON = "application/json"
ASKS = "/accounts/reauthenticate/?next="
CONFIRMED = {"password": PASSWORD}


@pytest.fixture
def tenant() -> Tenant:
    """Erin's organisation, on a plan that leaves room for keys."""
    now = timezone.now()
    billing.services.seed(now=now)
    tenant = billing.services.sign_up(
        user=User.objects.create_user("erin@example.com", PASSWORD), organization="Erin Ltd",
        plan_code="free", currency=Currency.USD, now=now, language="en",
    ).tenant  # fmt: skip
    tenant.usage_plan.most_keys = 5
    tenant.usage_plan.save()
    return tenant


@pytest.fixture
def erin(tenant: Tenant) -> User:
    return tenant.members.get().user


def test_what_is_dangerous_asks_and_what_is_not_does_not(tenant: Tenant, erin: User) -> None:
    now = timezone.now()
    key = ApiKey.objects.get(tenant=tenant)
    endpoint = WebhookEndpoint.objects.create(
        tenant=tenant, url="https://hooks.example.com/", created_at=now
    )
    card = SavedCard.objects.create(
        customer=tenant.customer, stripe_id="pm_1", brand="visa", last_four="4242", exp_month=1,
        exp_year=2030, saved_at=now,
    )  # fmt: skip
    token = {"name": "n", "kind": "machine", "scopes": "keys:read", "expiry": "30"}
    hook = {"url": "https://else.example.com/"}
    asking: list[tuple[str, dict[str, str]]] = [
        ("/keys/create/", {"name": "staging"}),
        (f"/keys/{key.uuid}/rotate/", {"overlap": "0"}),
        (f"/keys/{key.uuid}/end-old/", {}),
        (f"/keys/{key.uuid}/revoke/", {}),
        ("/settings/tokens/", token),
        ("/settings/webhooks/create/", hook),
        (f"/settings/webhooks/{endpoint.uuid}/rotate/", {}),
        ("/billing/extensions/buy/", {"pack": "extra-100"}),
        ("/billing/extensions/top-up/", {"pack": "extra-100"}),
        ("/billing/plan/starter/", {"amount": "0"}),
        ("/billing/cards/add/", {}),
        (f"/billing/cards/{card.pk}/remove/", {}),
        ("/settings/delete/", {"name": "Erin Ltd"}),
        ("/team/invite/", {"email": "dave@example.com", "role": "owner"}),
    ]
    browser = signed_in_long_ago(erin)
    for address, form in asking:
        assert browser.post(address, form)["Location"] == ASKS + quote(address, safe="")
    calls = [
        ("POST", "keys/", {"name": "staging"}),
        ("POST", f"keys/{key.uuid}/rotate/", {}),
        ("POST", f"keys/{key.uuid}/end-old/", {}),
        ("POST", f"keys/{key.uuid}/revoke/", {}),
        ("POST", "tokens/", {"name": "n", "scopes": ["keys:read"]}),
        ("POST", "webhooks/", hook),
        ("POST", f"webhooks/{endpoint.uuid}/rotate/", {}),
        ("PUT", "plan/", {"plan": "starter", "amount": 0}),
        ("POST", "extensions/", {"pack": "extra-100"}),
        ("PUT", "top-up/", {"pack": "extra-100", "percent": 10, "most_per_period": 1}),
    ]
    for method, address, body in calls:
        refused = browser.generic(method, f"/api/v1/{address}", json.dumps(body), JSON)
        assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")
    assert ApiKey.objects.get(tenant=tenant).versions.get().revoked_at is None
    assert not ApiToken.objects.exists()
    assert not Order.objects.exists()
    for address, form in (
        (f"/keys/{key.uuid}/edit/", {"name": "production"}),
        ("/team/invite/", {"email": "dave@example.com", "role": "admin"}),
        ("/billing/extensions/top-up/", {"stop": ""}),
    ):
        assert not browser.post(address, form)["Location"].startswith(ASKS)


def test_the_request_goes_on_once_for_whoever_made_it(tenant: Tenant, erin: User) -> None:
    browser = signed_in_long_ago(erin)
    asked = browser.post("/keys/create/", {"name": "ステージング"})["Location"]
    wrong = browser.post(asked, {"password": "wrong"})
    assert wrong.status_code == 200
    assert not ApiKey.objects.filter(name="ステージング").exists()
    assert browser.post(asked, CONFIRMED)["Location"] == "/keys/"
    again = browser.post(asked, CONFIRMED, follow=True)  # it leads there, and makes no other
    assert (again.status_code, again["Allow"]) == (405, "POST")
    assert "To the dashboard" in text(again)
    assert ApiKey.objects.filter(tenant=tenant, name="ステージング").count() == 1
    assert browser.post("/keys/create/", {"name": "more"})["Location"] == "/keys/"

    stranger = User.objects.create_user("charlie@example.com", PASSWORD)
    later = signed_in_long_ago(erin)
    asked = later.post("/keys/create/", {"name": "forged"})["Location"]
    later.force_login(stranger)  # the same browser
    for hands in (later, signed_in_long_ago(stranger)):
        hands.post(asked, CONFIRMED)
    assert not ApiKey.objects.filter(name="forged").exists()


def test_an_export_is_downloaded_on_the_page_that_confirming_leads_to(
    tenant: Tenant, erin: User
) -> None:
    """A file in answer to the password would leave the question standing."""
    then = "/settings/?confirmed#export"
    browser = signed_in_long_ago(erin)
    browser.post("/keys/create/", {"name": "given-up"})  # and not confirmed
    asked = browser.post("/settings/export.zip")["Location"]
    assert asked == ASKS + quote(then, safe="")
    wrong = browser.post(asked, {"password": "wrong"})
    assert "Confirm that it is you" in text(wrong)
    landed = browser.post(asked, CONFIRMED)
    assert landed["Location"] == then
    page = text(browser.get(then))
    assert page.index('id="export"') < page.index("You have confirmed who you are")
    assert "You have confirmed" not in text(browser.get("/settings/"))
    sent = browser.post("/settings/export.zip")
    assert sent["Content-Type"] == "application/zip"
    assert b"".join(sent).startswith(b"PK")
    assert AuditEntry.objects.filter(tenant=tenant, action="tenant.exported").count() == 1
    assert not ApiKey.objects.filter(name="given-up").exists()

    erin.set_unusable_password()
    erin.save()
    refused = signed_in_long_ago(erin).post("/settings/export.zip")
    assert refused.status_code == 403
    assert "Sign out, and in again" in text(refused)


def test_it_is_forgotten_once_another_organisation_is_chosen(tenant: Tenant, erin: User) -> None:
    now = timezone.now()
    owner = User.objects.create_user("charlie@example.com")
    other = billing.services.sign_up(
        user=owner, organization="Other", plan_code="free", currency=Currency.USD, now=now,
        language="en",
    ).tenant  # fmt: skip
    Member.objects.create(tenant=other, user=erin, role=Role.ADMIN, created_at=now)
    browser = signed_in_long_ago(erin)
    asked = browser.post("/keys/create/", {"name": "staging"})["Location"]
    browser.post("/tenants/switch/", {"tenant": other.uuid})
    browser.post(asked, CONFIRMED)
    assert not ApiKey.objects.filter(name="staging").exists()


def test_an_account_that_has_nothing_to_confirm_with_signs_in_again(
    tenant: Tenant, erin: User
) -> None:
    """Else an old session would give itself something: a password, or a factor."""
    erin.set_unusable_password()
    erin.save()
    browser = signed_in_long_ago(erin)
    form = {"password1": "barrier-station-54", "password2": "barrier-station-54"}
    for address in ("/keys/create/", "/accounts/password/set/", "/accounts/2fa/totp/activate/"):
        refused = browser.post(address, {"name": "staging", **form})
        assert refused.status_code == 403
        assert "Sign out, and in again" in text(refused)
    refused = browser.post("/api/v1/keys/", {"name": "staging"}, JSON)
    assert refused.json()["code"] == "reauthentication_required"
    assert browser.get("/settings/security/").status_code == 200
    assert signed_in(erin).post("/keys/create/", {"name": "a"})["Location"] == "/keys/"
    erin.refresh_from_db()
    assert not erin.has_usable_password()


def test_the_time_since_signing_in_counts_and_so_does_a_confirmation(
    tenant: Tenant, erin: User, settings: Any
) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 60
    browser = Client()
    browser.post("/accounts/login/", {"login": erin.email, "password": PASSWORD})
    assert browser.post("/keys/create/", {"name": "a"})["Location"] == "/keys/"
    UserSession.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert browser.post("/keys/create/", {"name": "b"})["Location"].startswith(ASKS)


def test_addresses_ask_too_as_their_mail_sets_passwords(tenant: Tenant, erin: User) -> None:
    page, ours = "/accounts/email/", EmailAddress.objects.filter(user=erin)
    browser = signed_in_long_ago(erin)
    add = {"email": "mallory@example.com", "action_add": ""}
    assert browser.get(page).status_code == 200
    asked = browser.post(page, add)["Location"]
    assert asked == ASKS + quote(page, safe="")
    assert not ours.filter(email="mallory@example.com").exists()
    EmailAddress.objects.create(user=erin, email="else@example.com", verified=True)
    for act in ("action_primary", "action_remove"):
        form = {"email": "else@example.com", act: ""}
        assert signed_in_long_ago(erin).post(page, form)["Location"] == asked
    assert ours.filter(email="else@example.com", primary=False).exists()
    browser.post(page, add)
    browser.post(asked, CONFIRMED)
    assert ours.filter(email="mallory@example.com").exists()


def test_a_secret_that_waits_is_shown_to_whoever_confirms(tenant: Tenant, erin: User) -> None:
    endpoint = WebhookEndpoint.objects.create(
        tenant=tenant, url="https://hooks.example.com/", created_at=timezone.now()
    )
    address = f"/settings/webhooks/{endpoint.uuid}/"
    browser = signed_in_long_ago(erin)
    page = text(browser.get(address))
    assert "whsec_" not in page
    assert f'href="{ASKS}{address}"' in page
    assert "whsec_" in text(browser.post(f"{ASKS}{address}", CONFIRMED, follow=True))
    assert "whsec_" not in text(signed_in(erin).get(address))
