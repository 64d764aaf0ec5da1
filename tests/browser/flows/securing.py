"""Those who look after their account: a forgotten password, second factors, sessions."""

import time

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import expect

from portal.demo.expect import wait_for
from tests.browser.acts import link_mailed, sign_in, told, verify_mail
from tests.browser.flows.walk import Walk

SECURITY = "/settings/security/"
STEP = 30  # seconds that an app shows a code
# Chromium's own, which has a fingerprint reader and always a finger.
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def forgotten_password(walk: Walk) -> None:
    page = walk.page
    sign_out(walk)
    page.goto("/accounts/login/")
    walk.see("sign in")
    page.goto("/accounts/password/reset/")
    walk.see("forgotten password")
    walk.enter("email", walk.email)
    page.wait_for_url("**/reset/done/")
    walk.see("mail is on its way")
    page.goto(link_mailed(walk.stack, walk.email, r"http\S+/password/reset/key/\S+/"))
    walk.password = f"{walk.password} no more"
    page.locator("[name=password1]").fill(walk.password)
    page.locator("[name=password2]").fill(walk.password)
    walk.see("new password")
    page.locator("[name=password2]").press("Enter")
    page.wait_for_url("**/key/done/")
    walk.see("password changed")
    page.goto("/accounts/login/")
    sign_in(page, walk.email, walk.password)
    page.wait_for_url("**/dashboard/")


def second_factors(walk: Walk) -> None:
    """Set up an app and a passkey; sign in by digits, a recovery code and the passkey; end what is
    open elsewhere."""
    page = walk.page
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    verify_mail(page, walk.stack, walk.email)
    page.goto("/accounts/2fa/totp/activate/")
    walk.see("authenticator app")
    secret = page.get_by_test_id("totp-secret").inner_text()
    walk.enter("code", digits(secret))
    codes = page.get_by_test_id("recovery-codes").inner_text().split()
    assert len(codes) == 10
    walk.see("recovery codes")
    page.goto("/accounts/2fa/webauthn/add/")
    walk.see("passkey")
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url(f"**{SECURITY}")
    walk.see("security")

    phone, borrowed = walk.visit(), walk.visit()
    for other, code in ((phone, digits(secret)), (borrowed, codes[0])):
        other.goto("/accounts/login/")
        sign_in(other, walk.email, walk.password)
        walk.see("second factor", other)
        walk.enter("code", code, other)
        other.wait_for_url("**/dashboard/")
        other.goto(SECURITY)  # which asks nothing by itself, as the dashboard does

    sign_out(walk)
    page.goto("/accounts/login/")
    page.locator("#passkey_login").click()
    page.wait_for_url("**/dashboard/")
    page.goto(SECURITY)
    sessions = page.locator("tbody tr").filter(has=page.locator(".mono"))
    expect(sessions).to_have_count(3)
    walk.see("three sessions")
    with page.expect_request("**/sessions/end/") as sent:
        page.locator("form[action$='/sessions/end/'] button:not([name])").click()
    page_of = page.locator("body").get_attribute("data-page-of")
    assert f"page_of={page_of}" in str(sent.value.post_data)  # whose page it is, goes along
    expect(sessions).to_have_count(1)
    for other in (phone, borrowed):
        other.goto(SECURITY)
        other.wait_for_url("**/accounts/login/**")


def required_factor(walk: Walk) -> None:
    """Require a second factor of all; the colleague, who has none, sets one up."""
    page, colleague = walk.page, walk.colleague
    page.goto(SECURITY)
    page.locator("[name=required][value=yes]").click()
    told(page)
    walk.see("second factor required")
    colleague.goto("/dashboard/")
    expect(colleague.locator("canvas#usage-chart")).to_have_count(0)
    walk.see("barred", colleague)
    colleague.locator("a[href='/accounts/2fa/totp/activate/']").click()
    secret = colleague.get_by_test_id("totp-secret").inner_text()
    walk.enter("code", digits(secret), colleague)
    expect(colleague.get_by_test_id("recovery-codes")).to_be_visible()
    colleague.goto("/dashboard/")
    expect(colleague.locator("canvas#usage-chart")).to_be_visible()


def sign_out(walk: Walk) -> None:
    walk.page.goto("/dashboard/")
    walk.page.locator("summary .avatar").click()
    walk.see("account menu")
    walk.page.locator("form[action='/accounts/logout/'] button").last.click()
    walk.page.wait_for_url(lambda url: "/dashboard/" not in url)


def digits(secret: str) -> str:
    """Return what an app shows for a secret, once there is time left to type it."""
    wait_for("a fresh code", lambda: time.time() % STEP < STEP - 10, True, seconds=STEP)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // STEP)))
