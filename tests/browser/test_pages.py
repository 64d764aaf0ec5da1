"""Every page with axe, at 360 and 768 px, and for errors: English and light, Japanese and dark.

What it finds is collected: one run tells all of it.
"""

import secrets
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import resolve
from playwright.sync_api import Browser, ViewportSize

from portal.supervisor.stack import Stack
from tests.browser.acts import PHONE, WIDE, link_mailed, sign_in, sign_up
from tests.browser.chromium import Visitor
from tests.browser.pages import ANYBODY, LINKED, MAILED, MEMBERS, SIGNED_UP
from tests.portal import allowed

LOOKS: dict[str, dict[str, Any]] = {
    "english": {"viewport": WIDE, "color_scheme": "light"},
    "japanese": {"viewport": PHONE, "color_scheme": "dark", "locale": "ja-JP"},
}

STATUS = "() => performance.getEntriesByType('navigation')[0].responseStatus"
TABLET: ViewportSize = {"width": 768, "height": 1024}
# The names of tables that have to be scrolled sideways before their rows' buttons are seen.
CUT = """
  () => [...document.querySelectorAll(".table-wrap:has(.table__actions)")]
    .filter((table) => table.scrollWidth > table.clientWidth)
    .map((table) => table.ariaLabel)
"""

# What GET answers with that is no page: files, parts of pages, ways to elsewhere, machines' words.
NO_PAGES = {
    "healthz",
    "readyz",
    "favicon.ico",
    "docs/openapi.json",
    "s/<str:token>",
    "p/<uuid:public_id>/<slug:preset_code>",
    "dashboard/usage/",
    "dashboard/key/",
    "dashboard/live/",
    "usage.csv",
    "usage-by-key.csv",
    "billing/invoices.csv",
    "billing/invoices.json",
    "settings/audit.csv",
    "billing/invoices/<str:number>.pdf",
    "billing/checkout/<uuid:order_uuid>/",
    "uploads/news/",
    "uploads/archive.zip",
    "uploads/<uuid:upload_id>/source/",
    "uploads/<uuid:upload_id>/variants/<int:conversion_id>/",
    "settings/webhooks/deliveries/<uuid:delivery_id>/state/",
}
# Pages of a moment, which others see with axe in the flow that leads there.
IN_FLOWS = {
    "invitations/<str:invitation_token>/",
    "invitations/<str:invitation_token>/join/",
    "billing/checkout/<uuid:order_uuid>/return/",
    "billing/invoices/<str:number>/paid/",
    "uploads/<uuid:upload_id>/links/",
}


@pytest.fixture(scope="module")
def busy(stack: Stack) -> str:
    """The mail of somebody whose tenant has something on every page."""
    mail = f"{secrets.token_hex(8)}@example.com"
    seed = f"from tests.browser.states import busy; busy({mail!r}, 'Busy Ltd')"
    stack.manage("shell", "--command", seed)
    return mail


class Trial:
    """Tries pages in somebody's window, and keeps what it finds."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.page = visitor, visitor.page
        self.found: list[str] = []
        self._axe = Axe()

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.look()

    def look(self) -> None:
        self.page.wait_for_load_state("load")
        status = self.page.evaluate(STATUS)
        if status != 200:
            self.found.append(f"{status} {self.page.url}")
        results = self._axe.run(self.page)
        if results.violations_count:
            self.found.append(f"{self.page.url}\n{results.generate_report()}")
        wide = self.page.viewport_size
        assert wide is not None
        for size in (PHONE, TABLET):
            self.page.set_viewport_size(size)
            width = self.page.evaluate("document.documentElement.scrollWidth")
            if width > size["width"]:
                self.found.append(f"{self.page.url} is {width} px wide at {size['width']} px")
            if cut := self.page.evaluate(CUT):
                self.found.append(f"{self.page.url} hides buttons of {cut} at {size['width']} px")
        self.page.set_viewport_size(wide)

    def close(self) -> list[str]:
        """Return what was found, and what the pages reported."""
        self.visitor.close()
        return self.found + self.visitor.problems


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_shuts_nobody_out(stack: Stack, browser: Browser, busy: str, look: str) -> None:
    newcomer, owner = (
        Trial(Visitor(browser, base_url=stack.site_url, **LOOKS[look])) for _ in range(2)
    )
    for address in ANYBODY:
        newcomer.open(address)
    sign_up(newcomer.page, organization=f"Empty {look}")
    for address in SIGNED_UP:
        newcomer.open(address)
    owner.page.goto("/accounts/login/")
    sign_in(owner.page, busy)
    for address in MEMBERS:
        owner.open(address)
    opened: dict[str, str] = {}
    for route, (address, link) in LINKED.items():
        owner.page.goto(opened.get(address, address))
        owner.page.locator("main").locator(link).first.click()
        owner.page.wait_for_load_state("load")
        owner.look()
        opened[route] = owner.page.url
    for link in MAILED.values():
        owner.open(link_mailed(stack, busy, link))
    assert newcomer.close() + owner.close() == []


def test_no_page_is_forgotten() -> None:
    addresses = (address.partition("?")[0].partition("#")[0] for address in (*ANYBODY, *MEMBERS))
    tried = {resolve(address).route for address in addresses} | {*LINKED, *MAILED}
    tables = (allowed.PUBLIC, allowed.OWN, allowed.PAGES, allowed.THINGS)
    readable = {route for table in tables for route, methods in table.items() if "GET" in methods}
    assert readable - tried == NO_PAGES | IN_FLOWS
