"""Those who run an organisation: who comes in, who did what, and how it ends."""

import zipfile

from playwright.sync_api import expect

from portal.demo.gateway import FORBIDDEN
from portal.demo.story import PASSWORD
from tests.browser.acts import answered, link_mailed, told
from tests.browser.flows.walk import Walk, opener


def inviting(walk: Walk) -> None:
    """A colleague joins as a bookkeeper, and is made an admin."""
    page, email = walk.page, f"colleague.{walk.email}"
    page.goto("/team/")
    page.locator("[name=email]").fill(email)
    page.locator("form[action='/team/invite/'] [name=role]").select_option("billing")
    walk.send("/team/invite/")
    told(page)
    walk.see("invited")

    colleague = walk.colleague = walk.visit()
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


def parting(walk: Walk) -> None:
    """Hand the organisation over, leave it, and delete one's account."""
    page = walk.page
    page.goto("/settings/security/delete/")
    expect(page.locator("[name=to][value=team]")).to_be_visible()  # nobody else owns it
    walk.see("the only owner")
    page.locator("[name=to][value=team]").click()
    page.locator(opener("transfer-")).click()
    walk.see("hand over")
    walk.agree()
    told(page)
    walk.colleague.goto("/team/")
    expect(walk.colleague.locator(opener("transfer-"))).to_have_count(1)
    walk.see("team for the new owner", walk.colleague)
    page.locator(opener("leave")).click()
    walk.see("leave")
    walk.agree()
    page.goto("/dashboard/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    walk.see("no organisation")
    page.goto("/settings/security/delete/")
    page.locator("main input[type=email]").fill(walk.email)
    walk.see("delete the account")
    walk.send("/settings/security/delete/")
    page.wait_for_url(lambda url: "/delete/" not in url)
    walk.see("account deleted")
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(walk.email)
    page.locator("[name=password]").fill(walk.password)
    page.locator("[name=password]").press("Enter")
    expect(page.locator("[role=alert], .errorlist, .field__error").first).to_be_visible()
    answered(walk.caller, walk.key, "200")  # its keys are the organisation's


def another_organization(walk: Walk) -> None:
    """The new owner starts one more, and goes back to the first."""
    page, first = walk.colleague, walk.organization
    page.goto("/dashboard/")
    page.locator("summary .avatar").last.click()
    page.locator("a[href='/tenants/new/']").click()
    walk.see("another organisation", page)
    page.locator("[name=plan]").select_option("free")
    walk.enter("organization", f"{first} Two", page)
    expect(page.get_by_test_id("api-key-value")).to_be_visible()
    page.locator("summary", has_text=f"{first} Two").click()
    walk.see("switcher", page)
    page.locator("[name=tenant]").get_by_text(first, exact=True).click()
    expect(page.locator("summary", has_text=first)).to_have_count(1)
    expect(page.locator("summary", has_text=f"{first} Two")).to_have_count(0)
