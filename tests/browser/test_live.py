"""The live panel in a browser: it follows the calls by itself, and rests while nobody looks."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from portal.demo.gateway import Caller
from portal.supervisor.stack import Stack
from tests.browser.acts import calls_until_known, sign_up

HIDE = "is => Object.defineProperty(document, 'hidden', {configurable: true, get: () => is})"
# Resolves at the panel's next poll, with whether it was kept back.
NEXT_POLL = """() => new Promise((resolve) => {
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id === "live-figures") {
      setTimeout(() => resolve(event.defaultPrevented));
    }
  });
})"""


def test_the_panel_asks_only_while_somebody_can_see_it(visit: Callable[..., Page]) -> None:
    page = visit()
    sign_up(page, organization="Watchers Ltd")
    # Beat's probe moves the meter though nobody has called.
    expect(page.get_by_test_id("live-today")).to_have_text("0", timeout=60_000)
    expect(page.get_by_text("No calls yet in the last hour")).to_be_visible()
    expect(page.locator("canvas#live-chart")).to_be_hidden()
    assert page.evaluate(NEXT_POLL) is False

    page.evaluate(HIDE, True)
    assert page.evaluate(NEXT_POLL) is True

    page.evaluate(HIDE, False)
    with page.expect_response("**/dashboard/live/"):
        page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")


def test_an_open_table_stays_open_and_keeps_the_focus(
    visit: Callable[..., Page], stack: Stack, axe: Callable[[Page], None]
) -> None:
    page = visit(viewport={"width": 360, "height": 740})
    sign_up(page, organization="Readers Ltd")
    key = page.get_by_test_id("api-key-value").inner_text()
    caller = Caller(stack.environment["API_BASE_URL"])
    calls_until_known(caller, key)
    caller.close()
    expect(page.locator("canvas#live-chart")).to_be_visible(timeout=60_000)
    table = page.locator("#live-panel details")
    table.locator("summary").click()
    region = table.get_by_role("region")
    region.focus()
    with page.expect_response("**/dashboard/live/"):
        pass
    expect(region).to_be_focused()
    axe(page)
