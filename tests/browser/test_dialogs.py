"""Dialogs open by their buttons' commands, and by our script where a browser knows none."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.acts import Visit, sign_up

KNOWS_NONE = """
delete HTMLButtonElement.prototype.commandForElement;
document.addEventListener("command", (event) => event.preventDefault(), true);
"""


def test_an_older_browser_opens_and_closes_them_too(visit: Visit) -> None:
    page = visit()
    page.add_init_script(KNOWS_NONE)
    sign_up(page, organization="Old Browsers Ltd")
    page.goto("/keys/")
    dialog = page.locator("dialog[id^=revoke-]").first
    ways: tuple[Callable[[], None], ...] = (
        lambda: dialog.locator("[command=close]").click(),
        lambda: page.mouse.click(5, 5),  # beside it
        lambda: page.keyboard.press("Escape"),
    )
    for close in ways:
        page.locator("[commandfor^=revoke-]").first.click()
        expect(dialog).to_be_visible()
        close()
        expect(dialog).to_be_hidden()
