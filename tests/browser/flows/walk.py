"""Somebody's way through the portal, in a window of one language and width."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from portal.demo.gateway import Caller
from portal.demo.story import PASSWORD
from portal.supervisor.stack import Stack
from tests.browser.acts import Check, Visit, fits


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
    password: str = PASSWORD
    key: str = ""
    page: Page = field(init=False)
    colleague: Page = field(init=False)
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

    def enter(self, name: str, text: str, page: Page | None = None) -> None:
        """Type into a field, and send its form by the key of that name."""
        box = (page or self.page).locator(f"[name={name}]")
        box.fill(text)
        box.press("Enter")

    def agree(self) -> None:
        """Say yes in the dialog that is open."""
        self.page.locator("dialog[open] button:not([type=button])").click()


Flow = Callable[[Walk], None]


def opener(dialog: str) -> str:
    """Select the buttons that open the dialogs whose names begin so."""
    return f"[command=show-modal][commandfor^={dialog}]"
