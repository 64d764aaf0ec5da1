"""Second factors, recovery codes and sessions, by the pages; a passkey takes a browser."""

import re
from types import SimpleNamespace

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.usersessions.models import UserSession
from django.core import mail
from django.test import Client

from portal.browsers import browser_in_words
from portal.middleware import LastSeenMiddleware
from portal.second_factors import SecondFactorAdapter
from tenants.models import User
from tests.answers import text
from tests.cast import PASSWORD, Cast
from tests.sessions import signed_in, signed_in_long_ago

pytestmark = pytest.mark.django_db

PAGE = "/settings/security/"
NOW = 1_800_000_010  # in the middle of a code's 30 s
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _codes_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have allauth reckon codes as of NOW: at a step's end, one would be void once it is typed."""
    clock = SimpleNamespace(time=lambda: NOW)
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.time", clock)


@pytest.fixture
def erin(valkey: str) -> User:
    return User.objects.create_user("erin@example.com", PASSWORD)


def digits(secret: str) -> str:
    """Return what an app shows for a secret."""
    return str(format_hotp_value(hotp_value(secret, NOW // 30)))


def with_app(browser: Client) -> str:
    """Set an authenticator app up; return its secret."""
    page = text(browser.get("/accounts/2fa/totp/activate/"))
    found = re.search(r'data-testid="totp-secret">(\w+)<', page)
    assert found
    browser.post("/accounts/2fa/totp/activate/", {"code": digits(found[1])})
    return found[1]


def recovery_codes(browser: Client) -> list[str]:
    """Open the page that shows them, once."""
    page = text(browser.get("/accounts/2fa/recovery-codes/"))
    found = re.search(r'data-testid="recovery-codes">([\d\s]+)<', page)
    return found[1].split() if found else []


def password_given(user: User) -> Client:
    """Return a browser in which the password was right, and the second factor is wanted."""
    browser = Client()
    answer = browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    return browser


def is_in(browser: Client) -> bool:
    return browser.get(PAGE).status_code == 200


def test_signing_in_takes_the_digits_and_takes_them_once(erin: User) -> None:
    browser = signed_in(erin)
    assert "No second factor yet" in text(browser.get(PAGE))
    secret = with_app(browser)
    page = text(browser.get(PAGE))
    assert "No second factor yet" not in page
    assert "10 codes left" in page

    code = digits(secret)
    first, second = password_given(erin), password_given(erin)
    assert not is_in(first)
    assert "Incorrect code." in text(first.post("/accounts/2fa/authenticate/", {"code": "1"}))
    first.post("/accounts/2fa/authenticate/", {"code": code})
    assert is_in(first)
    replayed = second.post("/accounts/2fa/authenticate/", {"code": code})
    assert "Incorrect code." in text(replayed)
    assert not is_in(second)


def test_a_recovery_code_works_once(erin: User) -> None:
    browser = signed_in(erin)
    with_app(browser)
    code, *_others = recovery_codes(browser)
    first, second = password_given(erin), password_given(erin)
    first.post("/accounts/2fa/authenticate/", {"code": code})
    assert is_in(first)
    second.post("/accounts/2fa/authenticate/", {"code": code})
    assert not is_in(second)
    assert "9 codes left" in text(first.get(PAGE))


def test_recovery_codes_are_shown_once_when_they_are_made(erin: User) -> None:
    browser, view = signed_in(erin), "/accounts/2fa/recovery-codes/"
    with_app(browser)
    assert f'href="{view}"' in text(browser.get(PAGE))  # whoever was interrupted
    codes = recovery_codes(browser)
    assert len(codes) == 10
    assert "%0A".join(codes) not in text(browser.get(view))
    assert recovery_codes(browser) == recovery_codes(signed_in(erin)) == []
    assert browser.get(f"{view}download/").status_code == 403
    assert "They were shown once" in text(browser.get(view))
    assert f'href="{view}"' not in text(browser.get(PAGE))
    page = text(browser.post(f"{view}generate/", follow=True))
    assert "They are shown this once" in page
    assert not any(code in page for code in codes)


def test_who_guesses_digits_is_stopped(erin: User) -> None:
    with_app(signed_in(erin))
    guesses = [text(password_given(erin).post("/accounts/2fa/authenticate/", {"code": str(each)}))
               for each in range(6)]  # fmt: skip
    assert all("Incorrect code." in each for each in guesses[:5])
    assert "Too many failed login attempts" in guesses[5]


def test_what_was_interrupted_goes_on_by_the_digits_too(cast: Cast) -> None:
    secret = with_app(signed_in(cast.alice))
    browser = signed_in_long_ago(cast.alice)
    asked = browser.post("/settings/webhooks/create/", {"url": "https://hooks.example.com/"})
    other_way = asked["Location"].replace("/accounts/", "/accounts/2fa/")
    assert text(browser.get(asked["Location"])).count(f'href="{other_way}"') == 1
    assert not cast.alice_corp.webhook_endpoints.exists()
    landed = browser.post(other_way, {"code": digits(secret)}, follow=True)
    assert "whsec_" in text(landed)
    assert cast.alice_corp.webhook_endpoints.count() == 1


def test_what_makes_codes_is_encrypted_in_the_database(erin: User) -> None:
    browser = signed_in(erin)
    secret = with_app(browser)
    kept = {each.type: each.data for each in Authenticator.objects.filter(user=erin)}
    adapter = SecondFactorAdapter()
    assert adapter.decrypt(kept["totp"]["secret"]) == secret
    assert secret not in str(kept)
    seed = kept["recovery_codes"]["seed"]
    assert adapter.decrypt(seed) not in str(kept)
    assert adapter.encrypt(secret) != kept["totp"]["secret"]


@pytest.mark.django_db(transaction=True)  # allauth's mails wait for the commit
def test_the_last_factor_goes_with_its_recovery_codes_and_both_are_told(erin: User) -> None:
    browser = signed_in(erin)
    with_app(browser)
    browser.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(user=erin).exists()
    on, off = mail.outbox
    assert on.subject == "An authenticator app protects your account"
    assert "http://localhost:8000/settings/security/" in on.body
    assert off.subject == "Your authenticator app was turned off"


def test_sessions_are_listed_in_words_and_end(erin: User) -> None:
    browser = signed_in(erin)
    others = []
    for _each in range(3):
        other = Client(headers={"User-Agent": FIREFOX})
        other.force_login(erin)
        assert is_in(other)
        others.append(other)
    page = text(browser.get(PAGE))
    assert page.count("Firefox on Windows") >= 3
    assert page.count("This one") == 1
    (gone, kept, last) = others
    row = UserSession.objects.get(session_key=gone.session.session_key)
    stranger = signed_in(User.objects.create_user("charlie@example.com"))
    for nothing in (str(row.pk), "x", "9" * 40):
        stranger.post("/settings/security/sessions/end/", {"session": nothing})
    assert is_in(gone)
    browser.post("/settings/security/sessions/end/", {"session": row.pk})
    assert [is_in(each) for each in (gone, kept, last)] == [False, True, True]
    browser.post("/settings/security/sessions/end/")
    assert [is_in(each) for each in (browser, kept, last)] == [True, False, False]


def test_a_poll_after_the_end_loads_the_page_again_and_that_leads_to_sign_in(cast: Cast) -> None:
    browser, poll = signed_in(cast.alice), {"HX-Request": "true"}
    assert browser.get("/dashboard/usage/", headers=poll).status_code == 200
    browser.session.flush()
    answer = browser.get("/dashboard/usage/", headers=poll)
    assert (answer["HX-Refresh"], answer.content) == ("true", b"")
    assert browser.get("/dashboard/")["Location"] == "/accounts/login/?next=/dashboard/"


def test_passkeys_are_for_the_site_whatever_host_a_proxy_asks_for(erin: User) -> None:
    page = signed_in(erin).get("/accounts/2fa/webauthn/add/", headers={"Host": "127.0.0.1:9"})
    options = page.context["js_data"]["creation_options"]["publicKey"]
    assert dict(options["rp"]) == {"id": "localhost", "name": "Sekisho Demo Inc."}


def test_a_changed_password_ends_the_other_sessions_and_is_told(erin: User) -> None:
    browser, other = signed_in(erin), signed_in(erin)
    new = "gate-keeper-88"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    browser.post("/accounts/password/change/", form)
    assert [is_in(each) for each in (browser, other)] == [True, False]
    assert "Your password was changed" in [each.subject for each in mail.outbox]


def test_a_session_is_seen_now_and_then(erin: User) -> None:
    browser = signed_in(erin)
    browser.get(PAGE)
    seen = UserSession.objects.get(user=erin)
    browser.get(PAGE)
    assert UserSession.objects.get(user=erin).last_seen_at == seen.last_seen_at
    UserSession.objects.update(last_seen_at=seen.last_seen_at - LastSeenMiddleware.EVERY)
    browser.get(PAGE)
    assert UserSession.objects.get(user=erin).last_seen_at > seen.last_seen_at


def test_lists_of_allauths_lead_to_the_page(erin: User) -> None:
    browser = signed_in(erin)
    for address in ("/accounts/2fa/", "/accounts/2fa/webauthn/", "/accounts/sessions/"):
        assert browser.get(address)["Location"] == PAGE


def test_who_has_not_confirmed_their_address_is_told_to() -> None:
    user = User.objects.create_user("frank@example.com", PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=False, primary=True)
    browser = signed_in(user)
    assert "Your mail address is not confirmed" in text(browser.get(PAGE))
    assert browser.get("/accounts/2fa/totp/activate/")["Location"] == "/accounts/2fa/"


def test_the_admin_is_no_way_round(erin: User) -> None:
    erin.is_staff = erin.is_superuser = True
    erin.save()
    with_app(signed_in(erin))
    browser = Client()
    asked = browser.get("/admin/", follow=True)
    assert asked.request["PATH_INFO"] == "/accounts/login/"
    assert asked.request["QUERY_STRING"] == "next=%2Fadmin%2F"
    form = {"login": erin.email, "username": erin.email, "password": PASSWORD, "next": "/admin/"}
    assert browser.post("/admin/login/", form)["Location"].startswith("/accounts/login/")
    assert browser.get("/admin/").status_code == 302
    (code, *_others) = recovery_codes(signed_in(erin))
    asked = browser.post("/accounts/login/", form)
    assert asked["Location"].startswith("/accounts/2fa/authenticate/")
    entered = browser.post(asked["Location"], {"code": code}, follow=True)
    assert entered.request["PATH_INFO"] == "/admin/"
    assert entered.status_code == 200
    nobody = User.objects.create_user("frank@example.com")
    assert signed_in(nobody).get("/admin/", follow=True).status_code == 403


@pytest.mark.parametrize(("agent", "words"), [
    (FIREFOX, "Firefox on Windows"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
     " Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on macOS"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
     " Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
    ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
     "Chrome on Android"),
    ("curl/8.5.0", "A program"),
])  # fmt: skip
def test_browsers_are_named(agent: str, words: str) -> None:
    assert browser_in_words(agent) == words
