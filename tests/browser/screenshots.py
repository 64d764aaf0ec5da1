"""`make screenshots`: every page of the story, as people may see it, into var/screenshots/.

The demo runs first, so that pages have something to show; then money's states are seeded. Each page
is taken light, dark, 360 px wide and in Japanese, or as ARGS name looks; problems that a page
reported are printed, and are the exit code.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from portal.demo.story import PASSWORD, tell
from portal.supervisor.environment import Ports
from portal.supervisor.stack import Stack
from tests.browser.acts import PHONE, WIDE, sign_in
from tests.browser.chromium import SCREENSHOTS, Visitor, chromium_path, chromium_running
from tests.browser.pages import ANYBODY, MEMBERS, OPERATORS

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "narrow": {"viewport": PHONE, "color_scheme": "light"},
    "japanese": {"viewport": WIDE, "color_scheme": "light", "locale": "ja-JP"},
}
OWNER = "owner@states.example.com"
# OWNER's tenants, by their names in `states.seed`.
STATES = {
    "Steady KK": ("/billing/", "/billing/invoices/", "/billing/details/"),
    "Late Ltd": ("/billing/", "/dashboard/"),
    "Stopped Ltd": ("/billing/", "/billing/invoices/"),
    "Disputed Ltd": ("/billing/invoices/",),
    "Repaid Ltd": ("/billing/", "/billing/invoices/"),
    "Leaving Ltd": ("/billing/", "/billing/plan/", "/billing/plan/starter/"),
    "Capped Ltd": ("/billing/", "/billing/extensions/", "/billing/plan/pro/"),
    "Packed Ltd": ("/billing/", "/billing/extensions/", "/billing/plan/payg/"),
    "Waiting Ltd": ("/billing/", "/billing/plan/starter/"),
    "Trying Ltd": ("/billing/", "/billing/plan/free/"),
}
# Their lists in the admin, each with the first of its rows.
MONEY = (
    "invoice",
    "order",
    "subscription",
    "payment",
    "refund",
    "dispute",
    "dunningcase",
    "pricemove",
    "reconciliation",
)


def main() -> int:
    path = chromium_path()
    if path is None:
        print("There is no Chromium on the PATH, and CHROMIUM names none", file=sys.stderr)
        return 1
    looks = sys.argv[1:] or list(LOOKS)
    with (
        tempfile.TemporaryDirectory() as var_dir,
        Stack(var_dir=Path(var_dir), ports=Ports.free()) as stack,
        chromium_running(path) as browser,
    ):
        if tell(stack, say=print) != 0:
            return 1
        stack.manage(
            "shell", "--command", f"from tests.browser.states import seed; seed({OWNER!r})"
        )
        problems = [
            problem
            for look in looks
            for problem in _walk(browser, stack, SCREENSHOTS / look, LOOKS[look])
        ]
    for look in looks:
        print(f"{len(list((SCREENSHOTS / look).iterdir()))} pictures are in {SCREENSHOTS / look}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _walk(browser: Browser, stack: Stack, target: Path, options: dict[str, Any]) -> list[str]:
    """Photograph every page in one look; return what the pages reported."""
    target.mkdir(parents=True, exist_ok=True)
    visitor = Visitor(browser, base_url=stack.site_url, **options)
    _take(visitor.page, ANYBODY, target)
    visitor.page.goto("/accounts/login/")
    sign_in(visitor.page, "owner@alice-corp.example.com", PASSWORD)
    _take(visitor.page, MEMBERS, target)
    _take_uploads(visitor.page, target)
    visitor.close()
    newcomer = Visitor(browser, base_url=stack.site_url, **options)
    newcomer.page.goto("/accounts/login/")
    sign_in(newcomer.page, "owner@gone-ltd.example.com", PASSWORD)
    newcomer.page.goto("/uploads/")
    newcomer.page.screenshot(path=target / "uploads-empty.png", full_page=True)
    newcomer.close()
    owner = Visitor(browser, base_url=stack.site_url, **options)
    owner.page.goto("/accounts/login/")
    sign_in(owner.page, OWNER, PASSWORD)
    _take_states(owner.page, target)
    owner.close()
    operator = Visitor(browser, base_url=stack.site_url, **options)
    operator.page.goto("/admin/")
    password = stack.environment["OPERATOR_PASSWORD"]
    sign_in(operator.page, "operator@example.com", password)
    _take(operator.page, OPERATORS, target)
    _take_money(operator.page, target)
    operator.close()
    people = (visitor, newcomer, owner, operator)
    return [problem for person in people for problem in person.problems]


def _take(page: Page, addresses: tuple[str, ...], target: Path) -> None:
    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        name = re.sub(r"\W+", "-", address).strip("-") or "home"
        page.screenshot(path=target / f"{name}.png", full_page=True)


def _take_states(page: Page, target: Path) -> None:
    """A tenant in each state, as its owner sees it."""
    for name, addresses in STATES.items():
        page.locator("details.menu summary").first.click()
        page.locator("button[name=tenant]", has_text=name).click()
        state = name.split()[0].lower()
        for address in addresses:
            page.goto(address)
            shot = re.sub(r"\W+", "-", address).strip("-")
            page.screenshot(path=target / f"{state}-{shot}.png", full_page=True)
        to_pay = page.locator("main a[href$='/pay/']")
        if to_pay.count():
            to_pay.first.click()
            page.screenshot(path=target / f"{state}-pay.png", full_page=True)


def _take_money(page: Page, target: Path) -> None:
    """The admin's lists about money, each with its first row."""
    for model in MONEY:
        page.goto(f"/admin/billing/{model}/")
        page.screenshot(path=target / f"money-{model}.png", full_page=True)
        first = page.locator("#result_list a[href*='/change/']").first.get_attribute("href")
        page.goto(str(first))
        page.screenshot(path=target / f"money-{model}-1.png", full_page=True)


def _take_uploads(page: Page, target: Path) -> None:
    """What opens over the page of uploads, and what it says when nothing is found."""
    page.goto("/uploads/")
    page.locator("[data-source-shown] [data-view]").nth(1).click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=target / "uploads-viewer.png")
    page.locator("#viewer-modes label").last.click()
    page.screenshot(path=target / "uploads-side-by-side.png")
    page.keyboard.press("Escape")
    page.locator("[data-links]").first.click()
    page.locator("#links-signed form button").click()
    page.get_by_test_id("link").first.wait_for()
    page.screenshot(path=target / "uploads-links.png")
    page.keyboard.press("Escape")
    page.locator(".upload__pick").first.check()
    page.screenshot(path=target / "uploads-chosen.png")
    page.goto("/uploads/?q=nothing")
    page.screenshot(path=target / "uploads-nothing.png", full_page=True)


if __name__ == "__main__":
    sys.exit(main())
