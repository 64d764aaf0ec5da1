"""What many people do here: sign up and in, pay, call, read their mail; in any language."""

import re
import secrets
from collections.abc import Callable

from playwright.sync_api import Page, ViewportSize, expect

from portal.demo.expect import wait_for
from portal.demo.gateway import FORBIDDEN, THROTTLED, Caller
from portal.demo.story import PASSWORD
from portal.supervisor.stack import Stack

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
PATIENCE = 30  # seconds that workers may take for what is theirs

Visit = Callable[..., Page]
Check = Callable[..., None]


def sign_up(page: Page, *, organization: str, plan: str = "free") -> str:
    """Return the mail address that somebody new has signed up with."""
    email = f"{secrets.token_hex(8)}@example.com"  # new at each try
    page.goto(f"/accounts/signup/?plan={plan}")
    page.locator("[name=email]").fill(email)
    page.locator("[name=password1]").fill(PASSWORD)
    page.locator("[name=password2]").fill(PASSWORD)
    page.locator("[name=organization]").fill(organization)
    page.locator("[name=plan]").select_option(plan)
    page.locator("[name=organization]").press("Enter")  # the button's name is in any language
    page.wait_for_url(lambda url: "/accounts/signup/" not in url)
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in the page of that name, where they are."""
    page.locator("[name=login]").fill(email)
    page.locator("[name=password]").fill(password)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(lambda url: "/login/" not in url)


def calls_until_known(caller: Caller, key: str) -> int:
    """Call until the functions know a new key, too; return how many calls its quota lost by that.

    Between the gateway and them, calls are let in and answered by 503.
    """
    answers: list[str] = []

    def call() -> str:
        answers.append(caller.answer(key))
        return answers[-1]

    wait_for("the answer to a call with the new key", call, "200", seconds=PATIENCE)
    return sum(answer not in {FORBIDDEN, THROTTLED} for answer in answers)


def pay(page: Page, card: str) -> None:
    page.locator("[name=card_number]").fill(card)
    page.locator("[name=exp]").fill("12 / 40")
    page.locator("[name=cvc]").fill("123")
    page.locator("[name=name]").fill("Alice Liddell")
    page.get_by_test_id("pay").click()


def link_mailed(stack: Stack, email: str, link: str) -> str:
    """Wait for the mail that brings an address a link, given as a pattern; return it."""
    links: list[str] = []

    def has_come() -> bool:
        for path in (stack.var_dir / "mail").glob("*"):
            text = path.read_text()
            if f"To: {email}" in text:
                links.extend(re.findall(link, text))
        return bool(links)

    wait_for("the mail with a link", has_come, True, seconds=PATIENCE)
    return links[0]


def verify_mail(page: Page, stack: Stack, email: str) -> None:
    """Confirm an address by the link that was sent to it."""
    page.goto(link_mailed(stack, email, r"http\S+/accounts/confirm-email/\S+/"))
    page.locator("#main").get_by_role("button").click()
    page.wait_for_url(lambda url: "/confirm-email/" not in url)


def fits(page: Page) -> None:
    """Fail where they would have to scroll sideways, also in a dialog."""
    size = page.viewport_size
    assert size is not None
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= size["width"], f"{page.url} is {width} px wide at {size['width']} px"
    for dialog in page.locator("dialog[open]").all():
        beyond = dialog.evaluate("(dialog) => dialog.scrollWidth - dialog.clientWidth")
        assert beyond == 0, f"a dialog on {page.url} is {beyond} px too wide"


def answered(caller: Caller, key: str, answer: str) -> None:
    """Wait until the gateway gives a key this answer."""
    wait_for(f"{answer} at the gateway", lambda: caller.answer(key), answer, seconds=PATIENCE)


def told(page: Page) -> None:
    """Wait until the page says that something was done."""
    expect(page.locator(".messages")).to_be_visible()
