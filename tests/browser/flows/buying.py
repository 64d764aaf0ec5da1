"""Those who pay: more of the quota, and another plan."""

from playwright.sync_api import Page, expect

from portal.demo.story import GOOD_CARD
from tests.browser.acts import PATIENCE, pay, told
from tests.browser.flows.walk import Walk, opener


def buying_more(walk: Walk) -> None:
    page = walk.page
    page.goto("/billing/extensions/")
    walk.see("extensions")
    page.locator("button[name=pack][value=extra-100]").click()
    paid(page)
    walk.see("extension in effect")
    page.goto("/billing/extensions/")
    expect(page.locator(opener("give-back-"))).to_have_count(1)
    walk.see("extension bought")
    page.goto("/billing/invoices/")
    walk.see("its invoice")


def paid(page: Page) -> None:
    """Pay, and wait until the gateway has what was bought."""
    pay(page, GOOD_CARD)
    in_effect = page.locator("#checkout-state a[href='/dashboard/']")
    expect(in_effect).to_be_visible(timeout=2000 * PATIENCE)


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
