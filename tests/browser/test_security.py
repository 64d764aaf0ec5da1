"""Second factors in browsers: digits, a recovery code, a passkey; and a session ended from afar.

The passkey is Chromium's virtual authenticator, which has a fingerprint reader and always a finger.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from portal.demo.story import PASSWORD
from portal.supervisor.stack import Stack
from tests.browser.acts import Check, Visit, sign_up, verify_mail
from tests.browser.flows.running import SECURITY, digits

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
    desk = visit()
    with_authenticator(desk)
    email = sign_up(desk, organization="Two Factors")
    verify_mail(desk, stack, email)
    desk.goto("/accounts/2fa/totp/activate/")
    secret = desk.get_by_test_id("totp-secret").inner_text()
    desk.get_by_label("Authenticator code").fill(digits(secret))
    desk.get_by_role("button", name="Turn on").click()
    codes = desk.get_by_test_id("recovery-codes").inner_text().split()
    assert len(codes) == 10
    desk.goto("/accounts/2fa/webauthn/add/")
    desk.get_by_role("button", name="Add", exact=True).click()
    expect(desk.get_by_role("rowheader", name="Passkey 1")).to_be_visible()
    axe(desk)

    phone = visit()
    give_password(phone, email)
    axe(phone)  # a passkey is offered, too
    give_code(phone, digits(secret))
    borrowed = visit()
    give_password(borrowed, email)
    give_code(borrowed, codes[0])

    desk.locator("summary[aria-label='Your account']").click()
    desk.get_by_role("button", name="Sign out").click()
    desk.goto("/accounts/login/")
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
