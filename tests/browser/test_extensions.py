"""Packs in a browser: bought, given back, bought by themselves, until a card is declined."""

import time

from playwright.sync_api import Page, expect

from portal.demo.gateway import Caller
from portal.demo.story import GOOD_CARD, QUOTA
from tests.browser.acts import Check, Visit, pay, sign_up

DECLINED_LATER = "4000000000000341"  # it can be saved, and is declined whenever it is charged
PAGE = "/billing/extensions/"


def until_shown(page: Page, text: str) -> None:
    """Load the page again until it says so: what beat does is not pushed to it."""
    until = time.monotonic() + 60
    while not page.get_by_text(text).count():
        assert time.monotonic() < until, page.locator("main").inner_text()
        page.reload()
    expect(page.get_by_text(text).first).to_be_visible()


def until_it_passes(caller: Caller, key: str) -> None:
    """Call until the gateway has what was bought."""
    until = time.monotonic() + 30
    while caller.answer(key) != "200":
        assert time.monotonic() < until


def test_a_pack_is_given_back_and_others_are_bought_by_themselves(
    visit: Visit, axe: Check, caller: Caller
) -> None:
    page = visit()
    sign_up(page, organization="Extra Ltd")
    key = page.get_by_test_id("api-key-value").inner_text()
    expect(page.locator("#key-state")).to_contain_text("Active")

    page.goto(PAGE)
    page.locator("button[name=pack][value=extra-100]").click()
    pay(page, GOOD_CARD)
    expect(page.get_by_text("Paid, and in effect")).to_be_visible()
    page.goto(PAGE)
    expect(page.get_by_text("100 of 100")).to_be_visible()
    page.get_by_role("button", name="Give back Extra 100").click()
    axe(page)
    page.get_by_role("dialog").get_by_role("button", name="Give back").click()
    expect(page.get_by_text("The requests were taken back.")).to_be_visible()
    until_shown(page, "Refunded")
    axe(page)

    page.get_by_label("Below (percent remaining)").fill("30")
    page.get_by_label("At most per period").fill("2")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("up to 2 times a period")).to_be_visible()
    caller.exhaust(key, most=QUOTA)
    until_shown(page, "Bought automatically in this period: 1.")
    until_it_passes(caller, key)
    page.get_by_text("Automatic purchases").click()
    axe(page)

    page.goto("/billing/")
    page.get_by_role("button", name="Add a card").click()
    pay(page, DECLINED_LATER)
    expect(page.get_by_text("Paid, and in effect")).to_be_visible()
    caller.exhaust(key, most=QUOTA)
    page.goto(PAGE)
    until_shown(page, "It was turned off")
    axe(page)
