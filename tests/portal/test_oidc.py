"""Signing in with an OpenID provider: oidc-provider-mock, in a process of its own."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core import mail
from django.test import Client
from django.utils import timezone

import billing.services
from billing.models import Order, SignUpRequest
from portal import oidc_provider
from tenants.models import Member, Tenant, User
from tests.answers import text
from tests.cast import PASSWORD, Cast
from tests.portal.invitations import DAVE, invite
from tests.sessions import signed_in, signed_in_long_ago

pytestmark = pytest.mark.django_db
ORGANISATION = {"organization": "Dave & Co", "plan": "free"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a provider; return its address.

    In this process it would warn, on import, of what its own libraries have deprecated.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:  # until it is up
            if "Uvicorn running" in line:
                break
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def provider(server: str, settings: Any) -> str:
    configure(settings, server)
    return server


@pytest.fixture
def cast(cast: Cast, settings: Any) -> Cast:
    """The cast, as in production: Alice's address is confirmed, Charlie's is not."""
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    billing.services.seed(now=timezone.now())
    for user in (cast.alice, cast.charlie):
        EmailAddress.objects.create(
            user=user, email=user.email, primary=True, verified=user == cast.alice
        )
    return cast


def configure(settings: Any, server: str, client_id: str = "portal") -> None:
    """Set what the environment would. The provider takes any secret of whom it does not know."""
    settings.OIDC_NAME = "Example ID"
    settings.OIDC_PROVIDER_ID = oidc_provider.provider_id(server)
    settings.SOCIALACCOUNT_PROVIDERS = oidc_provider.providers(
        server_url=server, client_id=client_id, secret="any", name="Example ID"
    )


def login_address(server: str) -> str:
    return f"/accounts/oidc/{oidc_provider.provider_id(server)}/login/"


def at_provider(client: Client, server: str, consent: dict[str, str], **form: str) -> str:
    """Press the button, and answer the provider's page; return where it sends the browser."""
    asked = client.post(login_address(server), form)["Location"]
    query = parse_qs(urlsplit(asked).query)
    assert query["code_challenge_method"] == ["S256"]
    back = httpx.URL(httpx.post(asked, data=consent).headers["Location"])
    # This provider leaves it out of errors, which RFC 6749 (4.1.2.1) does not allow.
    back = back.copy_set_param("state", query["state"][0])
    return back.raw_path.decode()


def sign_in(
    client: Client, server: str, email: str, *, verified: object = True, **form: str
) -> Any:
    claims = {"email": email, "email_verified": verified}
    httpx.put(f"{server}/users/{email}", json=claims).raise_for_status()
    return client.get(at_provider(client, server, {"sub": email}, **form), follow=True)


def test_without_a_provider_nothing_of_it_is_there(cast: Cast, server: str) -> None:
    client = Client()
    for page in ("/accounts/login/", "/accounts/signup/"):
        assert "/oidc/" not in text(client.get(page))
    assert "OpenID" not in text(signed_in(cast.alice).get("/settings/security/"))
    assert client.post(login_address(server)).status_code == 404
    assert (
        oidc_provider.providers(server_url="", client_id="", secret="", name="")["openid_connect"][
            "APPS"
        ]
        == []
    )


class TestSomebodyNew:
    def test_says_for_which_organisation_and_confirms_the_address(
        self, cast: Cast, provider: str
    ) -> None:
        client = Client()
        assert "Sign in with Example ID" in text(client.get("/accounts/login/"))
        asked = sign_in(client, provider, "Dave@example.com")
        assert "You are signed in with Example ID." in text(asked)
        form = {**ORGANISATION, "email": "else@example.com"}  # it is the provider's
        client.post("/accounts/3rdparty/signup/", form)
        dave = User.objects.get(email=DAVE)
        assert not dave.has_usable_password()
        assert not EmailAddress.objects.get(user=dave).verified
        assert client.get("/dashboard/").status_code == 302  # not before it is
        assert Tenant.objects.filter(name="Dave & Co").exists()
        assert not SocialToken.objects.exists()

    @pytest.mark.parametrize("mode", ["open", "approval"])
    def test_is_signed_in_where_the_providers_word_is_believed(
        self, cast: Cast, provider: str, settings: Any, mode: str
    ) -> None:
        settings.OIDC_TRUSTS_ADDRESSES, settings.SIGN_UP_MODE = True, mode
        client = Client()
        sign_in(client, provider, DAVE)
        landed = client.post("/accounts/3rdparty/signup/", ORGANISATION, follow=True)
        assert landed.redirect_chain[-1][0] == "/dashboard/"
        assert EmailAddress.objects.get(email=DAVE).verified
        if mode == "approval":
            assert "Your request waits for approval" in text(landed)
            billing.services.sign_up_requests_submit(now=timezone.now())
            assert SignUpRequest.objects.get().submitted_at is not None
            return
        assert landed.context["tenant"].name == "Dave & Co"
        again = sign_in(Client(), provider, DAVE)
        assert again.context["user"].email == DAVE
        assert User.objects.filter(email=DAVE).count() == 1

    @pytest.mark.parametrize("mode", ["open", "approval"])
    def test_comes_for_the_plan_that_was_chosen_before(
        self, cast: Cast, provider: str, settings: Any, mode: str
    ) -> None:
        settings.OIDC_TRUSTS_ADDRESSES, settings.SIGN_UP_MODE = True, mode
        client = Client()
        page = text(client.get("/accounts/signup/?plan=pro&currency=JPY"))
        button = page.partition(login_address(provider))[2].partition("</form>")[0]
        asked = dict(re.findall(r'name="(plan|currency)" value="(\w+)"', button))
        assert asked == {"plan": "pro", "currency": "JPY"}
        client.post(login_address(provider), {"plan": "x" * 10_000})  # a robot's, to fill sessions
        assert client.session["plan_asked"] == {"plan": "x" * 40}
        form = sign_in(client, provider, DAVE, **asked).context["form"]
        chosen = {name: form[name].value() for name in asked}
        assert chosen == asked
        sent = {"organization": "Dave & Co", **chosen}
        landed = client.post("/accounts/3rdparty/signup/", sent)["Location"]
        if mode == "approval":
            request = SignUpRequest.objects.get()
            assert (request.plan.code, request.currency) == ("pro", "JPY")
            return
        order = Order.objects.get()
        assert landed == f"/billing/checkout/{order.uuid}/"
        assert order.currency == "JPY"

    def test_needs_the_domain_or_an_invitation_where_the_operator_says_so(
        self, cast: Cast, provider: str, settings: Any
    ) -> None:
        settings.SIGN_UP_MODE = "domain:example.org"
        client = Client()
        sign_in(client, provider, DAVE)
        refused = client.post("/accounts/3rdparty/signup/", ORGANISATION)
        assert "an address at example.org" in text(refused)
        settings.SIGN_UP_MODE = "invitation"
        assert "by invitation here" in text(sign_in(Client(), provider, DAVE))
        assert not User.objects.filter(email=DAVE).exists()

    def test_joins_by_the_link_of_an_invitation(
        self, cast: Cast, provider: str, settings: Any
    ) -> None:
        settings.SIGN_UP_MODE = "invitation"
        link = invite(cast)
        assert f'name="next" value="{link}"' in text(Client().get(f"{link}join/"))
        assert "by invitation here" in text(
            sign_in(Client(), provider, "erin@example.com", next=link)
        )
        landed = sign_in(Client(), provider, DAVE, next=link)
        assert landed.redirect_chain[-1][0] == "/dashboard/"
        assert landed.context["tenant"] == cast.alice_corp
        assert Member.objects.get(user__email=DAVE).role == "developer"
        assert EmailAddress.objects.get(email=DAVE).verified


class TestSomebodyWithAnAccount:
    def test_is_signed_in_only_where_the_provider_and_we_have_confirmed_the_address(
        self, cast: Cast, provider: str, settings: Any
    ) -> None:
        def arrives(email: str, *, verified: object = True) -> bool:
            client = Client()
            sign_in(client, provider, email, verified=verified)
            return "_auth_user_id" in client.session

        assert not arrives("alice@example.com")  # it is not believed
        settings.OIDC_TRUSTS_ADDRESSES = True
        for unsure in (False, "false", None):
            assert not arrives("alice@example.com", verified=unsure)
        assert not arrives("charlie@example.com")
        assert cast.charlie.has_usable_password()
        assert not SocialAccount.objects.exists()
        assert arrives("alice@example.com")
        assert SocialAccount.objects.get().user == cast.alice

    def test_is_asked_for_the_second_factor(self, cast: Cast, provider: str, settings: Any) -> None:
        settings.OIDC_TRUSTS_ADDRESSES = True
        TOTP.activate(cast.alice, "JBSWY3DPEHPK3PXP")
        client = Client()
        asked = sign_in(client, provider, "alice@example.com", next="/keys/")
        assert asked.redirect_chain[-1][0].startswith("/accounts/2fa/authenticate/")
        assert "_auth_user_id" not in client.session

    def test_connects_it_signed_in_and_removes_it_while_a_password_is_left(
        self, cast: Cast, provider: str
    ) -> None:
        client = signed_in(cast.alice)
        assert "Once it is connected" in text(client.get("/settings/security/"))
        shown = sign_in(client, provider, "other@example.net", process="connect")
        assert "Remove the connection" in text(shown)
        assert [each.to for each in mail.outbox] == [["alice@example.com"]]
        taken = sign_in(signed_in(cast.bob), provider, "other@example.net", process="connect")
        assert "already connected to a different account" in text(taken)
        connection = SocialAccount.objects.get()
        form = {"account": connection.pk}
        signed_in(cast.bob).post("/settings/security/connection/remove/", form)
        cast.alice.set_unusable_password()
        cast.alice.save()
        client = signed_in(cast.alice)
        page = text(client.get("/settings/security/"))
        assert "It is your only way in." in page
        assert "/accounts/password/set/" in page
        refused = client.post("/settings/security/connection/remove/", form, follow=True)
        assert "no password set up" in text(refused)
        new = {"password1": PASSWORD, "password2": PASSWORD}
        client.post("/accounts/password/set/", new)
        cast.alice.refresh_from_db()
        client = signed_in_long_ago(cast.alice)
        answer = client.post("/settings/security/connection/remove/", form)
        assert "/reauthenticate/" in answer["Location"]
        assert SocialAccount.objects.exists()
        signed_in(cast.alice).post("/settings/security/connection/remove/", form)
        assert not SocialAccount.objects.exists()


class TestFailures:
    def test_consent_refused_and_another_windows_answer(self, cast: Cast, provider: str) -> None:
        client = Client()
        back = at_provider(client, provider, {"action": "deny"})
        assert "You turned it down at the provider" in text(client.get(back, follow=True))
        stolen = at_provider(client, provider, {"sub": DAVE})
        answer = Client().get(stolen)
        assert answer.status_code == 401
        assert "Signing in failed" in text(answer)

    def test_a_wrong_secret(self, cast: Cast, provider: str, settings: Any) -> None:
        callback = f"http://testserver{login_address(provider)}callback/"
        registered = httpx.post(
            f"{provider}/oauth2/clients",
            json={"redirect_uris": [callback], "token_endpoint_auth_method": "client_secret_post"},
        ).json()
        configure(settings, provider, client_id=registered["client_id"])
        answer = sign_in(Client(), provider, DAVE)
        assert answer.status_code == 401
        assert "Signing in failed" in text(answer)

    def test_a_provider_that_is_away(self, cast: Cast, provider: str, settings: Any) -> None:
        client, away = Client(), "http://127.0.0.1:9"
        configure(settings, away)
        answer = client.post(login_address(away))
        assert answer.status_code == 401
        assert "Signing in failed" in text(answer)
        assert not User.objects.filter(email=DAVE).exists()
