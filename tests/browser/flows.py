"""The ways that people go through the portal, in any language: things are found by what they are.

Each flow goes on where another has left the same organisation, the first with its sign-up. Each
step leaves a picture, has to fit the window, and where axe is asked, shuts nobody out.
"""

import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Page, expect

from portal.demo.expect import wait_for
from portal.demo.gateway import FORBIDDEN, Caller
from portal.demo.story import GOOD_CARD, PASSWORD
from portal.supervisor.stack import Stack
from tests.browser.acts import (
    PATIENCE,
    Check,
    Visit,
    answered,
    calls_until_known,
    fits,
    link_mailed,
    pay,
    sign_in,
    sign_up,
    told,
    verify_mail,
)
from tests.receiver import Receiver

SECURITY = "/settings/security/"
STEP = 30  # seconds that an app shows a code


@dataclass
class Walk:
    """Somebody's way, in a window of one language and width, and what they know by now."""

    visit: Visit  # opens a further window like theirs
    stack: Stack
    caller: Caller
    axe: Check | None
    pictures: Path
    organization: str
    email: str = ""
    key: str = ""
    page: Page = field(init=False)
    steps: int = 0

    def __post_init__(self) -> None:
        self.page = self.visit()

    def see(self, what: str, page: Page | None = None) -> None:
        """Look at a page, and keep a picture of it under what it shows."""
        page = page or self.page
        page.wait_for_load_state("load")
        fits(page)
        if self.axe is not None:
            self.axe(page)
        self.steps += 1
        name = f"{self.steps:02}-{what.replace(' ', '-')}.png"
        page.evaluate("scrollTo(0, 0)")  # the bar sticks to where it is
        page.screenshot(path=self.pictures / name, full_page=True)

    def send(self, action: str) -> None:
        """Press the button of the form that goes there."""
        self.page.locator(f"main form[action$='{action}'] button:not([type=button])").first.click()

    def agree(self) -> None:
        """Say yes in the dialog that is open."""
        self.page.locator("dialog[open] button:not([type=button])").click()


Flow = Callable[[Walk], None]


def signing_up(walk: Walk) -> None:
    page = walk.page
    for address, what in (("/", "start"), ("/plans/", "plans"), ("/accounts/signup/", "sign-up")):
        page.goto(address)
        walk.see(what)
    walk.email = sign_up(page, organization=walk.organization)
    walk.key = page.get_by_test_id("api-key-value").inner_text()
    walk.see("first key")


def first_call(walk: Walk) -> None:
    calls_until_known(walk.caller, walk.key)
    walk.page.goto("/dashboard/")
    expect(walk.page.get_by_test_id("used-period")).not_to_have_text("0", timeout=60_000)
    expect(walk.page.locator("canvas#usage-chart")).to_be_visible()
    walk.see("dashboard after the first call")
    walk.page.goto("/usage/")
    expect(walk.page.locator("canvas#usage-chart")).to_be_visible()
    walk.see("usage")


def keys(walk: Walk) -> None:
    """Create a key, rotate it with an overlap, end that, revoke the key."""
    page, value = walk.page, walk.page.get_by_test_id("api-key-value")
    page.goto("/keys/")
    page.locator("#id_name").fill("production")
    walk.send("/keys/create/")
    created = value.inner_text()
    walk.see("key created")
    calls_until_known(walk.caller, created)

    row = page.locator("tr", has_text="production").first
    row.locator("[data-dialog^=rotate-]").click()
    walk.see("rotate")
    walk.agree()
    expect(value).not_to_have_text(created)
    rotated = value.inner_text()
    walk.see("rotated")
    calls_until_known(walk.caller, rotated)
    assert walk.caller.patient(created) == "200"
    page.locator("[data-dialog^=end-old-]").click()
    walk.see("end the old value")
    walk.agree()
    expect(page.get_by_test_id("old-value")).to_have_count(0)
    answered(walk.caller, created, FORBIDDEN)

    row.locator("[data-dialog^=revoke-]").click()
    walk.see("revoke")
    walk.agree()
    told(page)
    answered(walk.caller, rotated, FORBIDDEN)
    walk.see("revoked")


def buying_more(walk: Walk) -> None:
    page = walk.page
    page.goto("/billing/extensions/")
    walk.see("extensions")
    page.locator("button[name=pack][value=extra-100]").click()
    paid(page)
    walk.see("extension in effect")
    page.goto("/billing/extensions/")
    expect(page.locator("[data-dialog^=give-back-]")).to_have_count(1)
    walk.see("extension bought")
    page.goto("/billing/invoices/")
    walk.see("its invoice")


def paid(page: Page) -> None:
    """Pay, and wait until the gateway has what was bought."""
    pay(page, GOOD_CARD)
    in_effect = page.locator("#checkout-state a[href='/dashboard/']")
    expect(in_effect).to_be_visible(timeout=2000 * PATIENCE)


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


def changing_plan(walk: Walk) -> None:
    """Pay for a plan, move up at the price that was shown, cancel, and stay after all."""
    page = walk.page
    for code in ("starter", "pro"):
        page.goto("/billing/plan/")
        page.locator(f"a[href='/billing/plan/{code}/']").click()
        shown = page.get_by_test_id("amount").inner_text()
        walk.see(f"plan {code}")
        page.get_by_role("button").filter(has_text=shown).click()
        expect(page.get_by_test_id("pay")).to_contain_text(shown)
        walk.see(f"checkout of {code}")
        paid(page)
        page.goto("/billing/invoices/")
        expect(page.get_by_text(shown)).to_be_visible()
    page.goto("/billing/plan/free/")
    walk.see("cancel the plan")
    page.locator("main form .button--primary").click()
    page.wait_for_url("**/billing/")
    walk.see("billing until the plan ends")
    walk.send("/billing/keep-plan/")
    told(page)
    walk.see("plan kept")


def alerts(walk: Walk) -> None:
    """Ask to be told at one percent; be told of the next call, and note that."""
    page = walk.page
    page.goto("/settings/alerts/")
    page.locator("[name=quota_percents]").fill("1")
    walk.send("/settings/alerts/")
    told(page)
    walk.see("alert settings")
    assert walk.caller.patient(walk.key) == "200"
    page.goto("/alerts/")

    def has_come() -> bool:
        page.reload()  # nothing pushes an alert to who looks
        return page.get_by_test_id("alerts").count() > 0

    wait_for("the alert", has_come, True, seconds=2 * PATIENCE)
    walk.see("alert told")
    walk.send("/alerts/seen/")
    expect(page.locator(".bell__count")).to_have_count(0)
    walk.see("alert seen")


def webhooks(walk: Walk) -> None:
    """Add an endpoint, and see a test event arrive without a reload."""
    page = walk.page
    page.goto("/settings/webhooks/create/")
    with Receiver() as receiver:
        page.locator("[name=url]").fill(receiver.url)
        page.locator("[name=event_types][value='key.revoked']").check()
        walk.see("endpoint")
        page.locator("main form button").click()
        secret = page.get_by_test_id("webhook-secret").inner_text()
        walk.see("endpoint added")
        walk.send("/test/")
        expect(page).to_have_url(re.compile("/deliveries/"))
        expect(page.locator("#webhook-attempts[data-state=succeeded]")).to_be_visible()
        walk.see("test event")
        (event,) = receiver.verified(secret)
    assert event["type"] == "webhook.test"


def token(walk: Walk) -> None:
    page = walk.page
    page.goto("/settings/tokens/")
    walk.see("tokens")
    page.locator("[name=name]").fill("nightly")
    page.locator("[name=scopes][value='usage:read']").check()
    walk.send("/settings/tokens/")
    value = page.get_by_test_id("token-value").inner_text()
    walk.see("token made")
    url, headers = f"{walk.stack.site_url}/api/v1/usage/", {"Authorization": f"Bearer {value}"}
    answer = httpx.get(url, headers=headers)
    assert answer.status_code == 200, answer.text


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
    page.locator("[data-dialog^=role-]").click()
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
