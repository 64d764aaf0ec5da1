"""The dashboard and the usage page in a browser: they follow what happens without a reload."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from portal.demo.gateway import Caller
from portal.supervisor.stack import Stack
from tests.browser.acts import calls_until_known, sign_up


def test_what_waits_for_a_call_turns_into_figures_and_a_range_is_an_address(
    visit: Callable[..., Page], stack: Stack, axe: Callable[[Page], None]
) -> None:
    page = visit(viewport={"width": 360, "height": 740}, locale="ja-JP", color_scheme="dark")
    sign_up(page, organization="Patient Ltd")
    key = page.get_by_test_id("api-key-value").inner_text()
    axe(page)
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#ping-python")).to_contain_text(stack.environment["API_BASE_URL"])
    caller = Caller(stack.environment["API_BASE_URL"])
    calls_until_known(caller, key)
    caller.close()
    expect(page.get_by_test_id("used-period")).not_to_have_text("0", timeout=60_000)
    expect(page.locator("#first-call-state .spinner")).to_have_count(0)
    expect(page.locator("canvas#usage-chart")).to_be_visible()
    expect(page.locator("canvas#quota-chart")).to_be_visible()
    axe(page)

    page.goto("/usage/")
    page.evaluate("window.isSame = true")
    page.locator("#preset-4").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#preset-4")).to_have_attribute("aria-current", "true")
    expect(page.locator("#preset-4")).to_be_focused()
    expect(page.locator("canvas#usage-chart")).to_be_visible()
    thirty_days = page.url
    assert "start=" in thirty_days
    with page.expect_response("**/dashboard/live/"):
        pass  # what is polled goes where it came from
    expect(page.locator("#live-figures")).to_have_count(1)
    assert page.url == thirty_days
    axe(page)
    page.locator("[name=meter]").select_option("conversions")
    expect(page.locator("#live-panel")).to_have_count(0)
    expect(page.locator("[data-said-of=usage]")).not_to_be_empty()
    assert page.evaluate("window.isSame")
    page.go_back()
    expect(page).to_have_url(thirty_days)
    expect(page.locator("canvas#usage-chart")).to_be_visible()
    expect(page.locator("#preset-4")).to_have_attribute("aria-current", "true")
