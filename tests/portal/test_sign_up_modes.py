"""Who may sign up, and that neither sign-up nor login nor reset tells who has an account."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

import billing.services
from billing.models import SignUpRequest
from tenants.models import Mail, Tenant, User
from tests.answers import text
from tests.cast import PASSWORD, Cast
from tests.portal.invitations import invite
from tests.sessions import signed_in

FORM = {
    "password1": PASSWORD, "password2": PASSWORD, "organization": "New Corp", "plan": "free",
}  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(cast: Cast) -> Cast:
    billing.services.seed(now=timezone.now())
    return cast


@pytest.fixture(autouse=True)
def verified_by_mail(settings: Any) -> None:
    """As in production."""
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


def sign_up(email: str) -> Any:
    return Client().post("/accounts/signup/", {**FORM, "email": email})


def told() -> list[str]:
    """Run the sweep; return who was told that somebody asks for access."""
    billing.services.sign_up_requests_submit(now=timezone.now())
    mails = Mail.objects.filter(kind="billing.sign_up_requested")
    return list(mails.values_list("to", flat=True))


class TestModes:
    def test_by_invitation_nobody_signs_up_but_who_is_invited(
        self, cast: Cast, settings: Any
    ) -> None:
        settings.SIGN_UP_MODE = "invitation"
        assert "by invitation here" in text(Client().get("/accounts/signup/"))
        assert "by invitation here" in text(sign_up("dave@example.com"))
        assert not User.objects.filter(email="dave@example.com").exists()
        for page in ("/", "/plans/"):  # they say so, rather than lead there
            shown = text(Client().get(page))
            assert "New accounts take an invitation" in shown
            assert "/accounts/signup/" not in shown
        assert "/accounts/signup/" not in text(Client().get("/docs/"))
        Client().post(f"{invite(cast)}join/", FORM)
        assert User.objects.filter(email="dave@example.com").exists()

    def test_by_domain_it_is_the_whole_domain(self, cast: Cast, settings: Any) -> None:
        settings.SIGN_UP_MODE = "domain:example.org,example.net"
        for email in ("d@example.com", "d@sub.example.org", "d@notexample.org"):
            refused = sign_up(email)
            assert "an address at example.org, example.net" in text(refused)
        assert not User.objects.filter(email__startswith="d@").exists()
        assert sign_up("D@Example.NET").status_code == 302
        assert User.objects.filter(email="d@example.net").exists()
        Client().post(f"{invite(cast)}join/", FORM)  # from example.com
        assert User.objects.filter(email="dave@example.com").exists()


class TestByApproval:
    def test_whoever_confirmed_the_address_waits_and_then_pays(
        self, cast: Cast, settings: Any
    ) -> None:
        settings.SIGN_UP_MODE = "approval"
        client, operator = Client(), User.objects.create_superuser("o@example.com", PASSWORD)
        for page in ("/", "/plans/", "/docs/", "/accounts/login/", "/accounts/signup/"):
            shown = text(client.get(page))
            assert "Request access" in shown
            assert not re.search(
                "Get a (free )?key|Get your key|>Start for free<|Choose Pro", shown
            )
        tenants = Tenant.objects.count()
        form = {**FORM, "email": "dave@example.com", "plan": "pro"}
        assert client.post("/accounts/signup/", form).status_code == 302
        assert not told()  # operators hear of nobody who might be somebody else
        (link,) = re.findall(r"/accounts/confirm-email/\S+", str(mail.outbox[0].body))
        client.post(link)
        assert told() == ["o@example.com"]
        client.post("/accounts/login/", {"login": "dave@example.com", "password": PASSWORD})
        waiting = client.get("/keys/")
        assert waiting.status_code == 403
        assert "Your request waits for approval" in text(waiting)
        assert "you asked to start New Corp, on the plan Pro" in text(waiting)
        assert Tenant.objects.count() == tenants
        asked, now = SignUpRequest.objects.get(), timezone.now()
        billing.services.sign_up_request_refuse(
            request=asked, reason="Who are you?", actor=operator, now=now
        )
        refused = text(client.get("/dashboard/"))
        assert "Your request was turned down" in refused
        assert "Who are you?" in refused
        made = billing.services.sign_up_request_approve(request=asked, actor=operator, now=now)
        assert made.order is not None
        assert client.get("/dashboard/").context["tenant"] == made.tenant
        assert str(made.order.uuid) in text(client.get("/billing/"))

    def test_who_is_invited_needs_none_and_nobody_learns_who_has_an_account(
        self, cast: Cast, settings: Any
    ) -> None:
        settings.SIGN_UP_MODE = "approval"
        new, known = sign_up("erin@example.com"), sign_up("alice@example.com")
        assert (new.status_code, new["Location"]) == (known.status_code, known["Location"])
        client = Client()
        landed = client.post(f"{invite(cast)}join/", FORM, follow=True)
        assert landed.context["tenant"] == cast.alice_corp
        assert SignUpRequest.objects.get().user.email == "erin@example.com"

    def test_operators_hear_of_it_once_also_where_an_invitation_proves_the_address(
        self, cast: Cast, settings: Any
    ) -> None:
        settings.SIGN_UP_MODE = "approval"
        User.objects.create_superuser("o@example.com", PASSWORD)
        sign_up("dave@example.com")
        signed_in(User.objects.get(email="dave@example.com")).post(f"{invite(cast)}accept/")
        assert told() == told() == ["o@example.com"]


class TestNobodyLearnsWhoHasAnAccount:
    def test_at_sign_up_only_the_mail_differs(self, cast: Cast) -> None:
        new, known = sign_up("dave@example.com"), sign_up("Alice@example.com")
        assert new.status_code == known.status_code == 302
        assert new["Location"] == known["Location"]
        to_new, to_known = mail.outbox
        assert "confirm" in to_new.subject.lower()
        assert to_known.to == ["alice@example.com"]
        assert "already exists" in to_known.subject.lower()
        assert User.objects.filter(email__iexact="alice@example.com").count() == 1

    def test_at_login(self, cast: Cast) -> None:
        said = {
            str(answer.context["form"].errors)
            for answer in (
                Client().post("/accounts/login/", {"login": email, "password": "wrong"})
                for email in ("alice@example.com", "nobody@example.com")
            )
        }
        assert len(said) == 1

    def test_at_reset(self, cast: Cast) -> None:
        known, unknown = (
            Client().post("/accounts/password/reset/", {"email": email})
            for email in ("alice@example.com", "nobody@example.com")
        )
        assert known.status_code == unknown.status_code == 302
        assert known["Location"] == unknown["Location"]
        assert [each.to for each in mail.outbox] == [["alice@example.com"], ["nobody@example.com"]]


class TestLimits:
    def test_guessing_a_password_ends_after_five(self, cast: Cast) -> None:
        client = Client()
        for _ in range(5):
            client.post("/accounts/login/", {"login": "alice@example.com", "password": "wrong"})
        form = {"login": "alice@example.com", "password": PASSWORD}
        refused = client.post("/accounts/login/", form)
        assert "Too many failed login attempts" in text(refused)
        elsewhere = Client(REMOTE_ADDR="203.0.113.9").post("/accounts/login/", form)
        assert "Too many failed login attempts" in text(elsewhere)

    def test_resets_of_an_address_are_few(self, cast: Cast) -> None:
        answers = [
            Client(REMOTE_ADDR=f"203.0.113.{n}").post(
                "/accounts/password/reset/", {"email": "alice@example.com"}
            )
            for n in range(6)
        ]
        assert [each.status_code for each in answers] == [302] * 5 + [429]
        assert len(mail.outbox) == 5
