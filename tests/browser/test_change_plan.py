"""A change of plan in a browser: the amount first, then the payment, the plan and its invoice."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from portal.demo.story import GOOD_CARD, PASSWORD
from tests.browser.screenshots import LOOKS
from tests.browser.test_story import pay

Visit = Callable[..., Page]
Check = Callable[[Page], None]

PAGES = [f"/billing/{page}" for page in ("", "plan/", "extensions/", "invoices/", "details/")]
WORDS = {
    "en": ("light", "Keep my plan", "You keep your plan."),
    "ja": ("japanese", "今のプランを続ける", "今のプランを続けます。"),
}


def subscribe(page: Page, organization: str) -> None:
    """Sign up for `starter` in whatever language, and pay."""
    page.goto("/accounts/signup/?plan=starter")
    page.locator("[name=email]").fill(f"{organization}@example.com")
    page.locator("[name=password1]").fill(PASSWORD)
    page.locator("[name=organization]").fill(organization)
    page.locator("[name=password2]").fill(PASSWORD)
    page.locator("[name=password2]").press("Enter")
    pay(page, GOOD_CARD)
    expect(page).to_have_url(re.compile("/return/$"))


@pytest.mark.parametrize("language", WORDS)
def test_an_upgrade_is_shown_paid_and_invoiced(visit: Visit, axe: Check, language: str) -> None:
    look, keep, kept = WORDS[language]
    page = visit(**LOOKS[look])
    subscribe(page, f"upgrade-{language}")
    page.goto("/billing/plan/")
    axe(page)
    page.locator("a[href='/billing/plan/pro/']").click()
    expect(page).to_have_url(re.compile("/billing/plan/pro/$"))
    shown = page.get_by_test_id("amount").inner_text()
    axe(page)
    page.get_by_role("button").filter(has_text=shown).click()
    expect(page.get_by_test_id("pay")).to_contain_text(shown)
    pay(page, GOOD_CARD)
    expect(page).to_have_url(re.compile("/return/$"))
    page.goto("/billing/")
    expect(page.get_by_role("heading", name="Pro", exact=True)).to_be_visible()
    page.goto("/billing/invoices/")
    expect(page.get_by_text(shown)).to_be_visible()

    page.goto("/billing/plan/free/")
    axe(page)
    page.locator("main form .button--primary").click()
    page.get_by_role("button", name=keep).click()
    expect(page.get_by_text(kept)).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    for address in (*PAGES, "/billing/plan/payg/"):
        page.goto(address)
        axe(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, address
