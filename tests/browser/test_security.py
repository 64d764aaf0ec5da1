"""Second factors in browsers: digits, a recovery code, a passkey; and a session ended from afar.

The passkey is Chromium's virtual authenticator, which has a fingerprint reader and always a finger.
"""

import re
import time
from collections.abc import Callable

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Page, expect

from portal.demo.expect import wait_for
from portal.demo.story import PASSWORD
from portal.supervisor.stack import Stack
from tests.browser.test_invitation import PHONE, fits, link_mailed
from tests.browser.test_story import Check, sign_up

Visit = Callable[..., Page]

SECURITY = "/settings/security/"
STEP = 30  # seconds that an app shows a code

pytestmark = pytest.mark.database  # not in this process, but in all of the installation's


def with_authenticator(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def digits(secret: str) -> str:
    """Return what an app shows for a secret, once there is time left to type it."""
    wait_for("a fresh code", lambda: time.time() % STEP < STEP - 10, True, seconds=STEP)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // STEP)))


def give_password(page: Page, email: str) -> None:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()


def give_code(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(r"/dashboard/$"))


def test_factors_are_set_up_used_at_sign_in_and_a_session_is_ended(
    visit: Visit, axe: Check, stack: Stack
) -> None:
    desk = visit(viewport={"width": 1280, "height": 900})
    with_authenticator(desk)
    sign_up(desk, organization="Two Factors")
    desk.goto(SECURITY)
    expect(desk.get_by_text("No second factor yet")).to_be_visible()
    axe(desk)
    found = re.search(r"[0-9a-f]+@example\.com", desk.locator(".page__head").inner_text())
    assert found
    email = found[0]
    desk.goto(link_mailed(stack, email, r"http\S+/accounts/confirm-email/\S+/"))
    desk.locator("#main").get_by_role("button").click()

    desk.goto("/accounts/2fa/totp/activate/")
    axe(desk)
    secret = desk.get_by_test_id("totp-secret").inner_text()
    desk.get_by_label("Authenticator code").fill(digits(secret))
    desk.get_by_role("button", name="Turn on").click()
    codes = desk.get_by_test_id("recovery-codes").inner_text().split()
    assert len(codes) == 10
    axe(desk)
    desk.goto("/accounts/2fa/webauthn/add/")
    axe(desk)
    desk.get_by_role("button", name="Add", exact=True).click()
    expect(desk.get_by_role("rowheader", name="Passkey 1")).to_be_visible()
    axe(desk)

    phone = visit(viewport=PHONE)
    give_password(phone, email)
    axe(phone)
    fits(phone)
    give_code(phone, digits(secret))
    phone.goto(SECURITY)
    axe(phone)
    fits(phone)
    borrowed = visit()
    give_password(borrowed, email)
    give_code(borrowed, codes[0])

    desk.locator("summary[aria-label='Your account']").click()
    desk.get_by_role("button", name="Sign out").click()
    desk.goto("/accounts/login/")
    axe(desk)
    desk.get_by_role("button", name="Sign in with a passkey").click()
    expect(desk).to_have_url(re.compile(r"/dashboard/$"))
    desk.goto(SECURITY)
    expect(desk.get_by_text("9 codes left")).to_be_visible()
    sessions = desk.get_by_role("region", name="Where you are signed in").locator("tbody tr")
    expect(sessions).to_have_count(3)
    expect(sessions.first).to_contain_text("This one")
    with desk.expect_request("**/sessions/end/") as sent:
        desk.get_by_role("button", name="Sign out everywhere else").click()
    page_of = desk.locator("body").get_attribute("data-page-of")
    assert f"page_of={page_of}" in str(sent.value.post_data)  # whose page it is, goes along
    expect(sessions).to_have_count(1)
    for other in (phone, borrowed):
        other.goto(SECURITY)
        expect(other).to_have_url(re.compile(r"/accounts/login/"))
