"""Those who run an organisation: who comes in, who did what, and how it ends."""

import time
import zipfile

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import expect

from portal.demo.expect import wait_for
from portal.demo.gateway import FORBIDDEN
from portal.demo.story import PASSWORD
from tests.browser.acts import answered, link_mailed, sign_in, told, verify_mail
from tests.browser.flows.walk import Walk, opener

SECURITY = "/settings/security/"
STEP = 30  # seconds that an app shows a code


def digits(secret: str) -> str:
    """Return what an app shows for a secret, once there is time left to type it."""
    wait_for("a fresh code", lambda: time.time() % STEP < STEP - 10, True, seconds=STEP)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // STEP)))


def second_factor(walk: Walk) -> None:
    """Set an authenticator app up, sign out, and sign in with it."""
    page = walk.page
    verify_mail(page, walk.stack, walk.email)
    page.goto("/accounts/2fa/totp/activate/")
    walk.see("authenticator app")
    secret = page.get_by_test_id("totp-secret").inner_text()
    page.locator("[name=code]").fill(digits(secret))
    page.locator("[name=code]").press("Enter")
    expect(page.get_by_test_id("recovery-codes")).to_be_visible()
    walk.see("recovery codes")
    page.goto(SECURITY)
    walk.see("security")
    page.locator("summary .avatar").click()
    walk.see("account menu")
    page.locator("form[action='/accounts/logout/'] button").last.click()
    page.wait_for_url(lambda url: SECURITY not in url)
    page.goto("/accounts/login/")
    walk.see("sign in")
    sign_in(page, walk.email)
    walk.see("second factor")
    page.locator("[name=code]").fill(digits(secret))
    page.locator("[name=code]").press("Enter")
    page.wait_for_url("**/dashboard/")


def inviting(walk: Walk) -> None:
    """A colleague joins as a bookkeeper, and is made an admin."""
    page, email = walk.page, f"colleague.{walk.email}"
    page.goto("/team/")
    page.locator("[name=email]").fill(email)
    page.locator("form[action='/team/invite/'] [name=role]").select_option("billing")
    walk.send("/team/invite/")
    told(page)
    walk.see("invited")

    colleague = walk.visit()
    colleague.goto(link_mailed(walk.stack, email, r"http\S+/invitations/\w+/"))
    expect(colleague.get_by_role("heading", level=1)).to_contain_text(walk.organization)
    walk.see("invitation", colleague)
    colleague.locator("a[href$='/join/']").click()
    colleague.locator("[name=password1]").fill(PASSWORD)
    colleague.locator("[name=password2]").fill(PASSWORD)
    walk.see("join", colleague)
    colleague.locator("[name=password2]").press("Enter")
    colleague.wait_for_url("**/dashboard/")
    invite = colleague.locator("form[action='/team/invite/']")
    colleague.goto("/team/")
    expect(invite).to_have_count(0)
    walk.see("team for a bookkeeper", colleague)

    page.goto("/team/")
    page.locator(opener("role-")).click()
    page.locator("dialog[open] [name=role]").select_option("admin")
    walk.see("another role")
    walk.agree()
    told(page)
    colleague.reload()
    expect(invite).to_have_count(1)
    walk.see("team for an admin", colleague)


def audit(walk: Walk) -> None:
    """Look for what was done to keys, and take it along."""
    page, entries = walk.page, walk.page.locator("main tbody tr")
    page.goto("/settings/audit/")
    everything = entries.count()
    walk.see("audit trail")
    page.locator("[name=part]").select_option("keys")
    page.locator("main form[action='/settings/audit/'] button").click()
    page.wait_for_url("**part=keys**")
    assert 0 < entries.count() < everything
    entries.locator("summary").first.click()
    walk.see("audit trail of keys")
    with page.expect_download() as download:
        page.locator("a[href^='/settings/audit.csv?']").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 1 + entries.count()


def leaving(walk: Walk) -> None:
    """Take everything along, ask for deletion, and stay after all."""
    page = walk.page
    page.goto("/settings/")
    walk.see("settings")
    with page.expect_download() as download:
        walk.send("/settings/export.zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
    page.goto("/settings/delete/")
    page.locator("[name=name]").fill(walk.organization)
    walk.see("delete the organisation")
    walk.send("/settings/delete/")
    page.wait_for_url("**/settings/")
    walk.see("being deleted")
    answered(walk.caller, walk.key, FORBIDDEN)
    walk.send("/settings/keep/")
    told(page)
    walk.see("kept")
    answered(walk.caller, walk.key, "200")
