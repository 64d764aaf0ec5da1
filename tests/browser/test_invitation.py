"""An invitation in two browsers: sent from a wide one, read and accepted on a phone."""

import re
import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from portal.demo.expect import wait_for
from portal.demo.story import PASSWORD
from portal.supervisor.stack import Stack
from tests.browser.test_story import Check, sign_up

Visit = Callable[..., Page]
PHONE = {"width": 360, "height": 740}

pytestmark = pytest.mark.database  # not in this process, but in all of the installation's


def link_mailed(stack: Stack, email: str, link: str = r"http\S+/invitations/\w+/") -> str:
    """Wait for the mail that brings an address a link, such as an invitation's; return it."""

    links: list[str] = []

    def has_come() -> bool:
        for path in (stack.var_dir / "mail").glob("*"):
            text = path.read_text()
            if f"To: {email}" in text:
                links.extend(re.findall(link, text))
        return bool(links)

    wait_for("the mail with a link", has_come, True, seconds=30)
    return links[0]


def fits(page: Page) -> None:
    """Fail where a phone would have to scroll sideways."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_colleague_is_invited_joins_on_a_phone_and_is_made_an_admin(
    visit: Visit, axe: Check, stack: Stack
) -> None:
    email = f"{secrets.token_hex(8)}@example.com"
    owner = visit(viewport={"width": 1440, "height": 900})
    sign_up(owner, organization="Team Corp")
    owner.goto("/team/")
    owner.get_by_label("Email address").fill(email)
    owner.get_by_label("Role", exact=True).select_option("billing")
    owner.get_by_role("button", name="Send invitation").click()
    expect(owner.get_by_role("region", name="Open invitations")).to_contain_text(email)
    axe(owner)

    phone = visit(viewport=PHONE)
    phone.goto(link_mailed(stack, email))
    expect(phone.get_by_role("heading", name="Join Team Corp")).to_be_visible()
    axe(phone)
    fits(phone)
    phone.get_by_role("link", name="Create account").click()
    axe(phone)
    phone.locator("[name=password1]").fill(PASSWORD)
    phone.locator("[name=password2]").fill(PASSWORD)
    phone.get_by_role("button", name="Create account").click()
    expect(phone).to_have_url(re.compile(r"/dashboard/$"))
    phone.goto("/team/")
    expect(phone.get_by_role("button", name="Send invitation")).to_have_count(0)
    axe(phone)
    fits(phone)

    owner.goto("/team/")
    owner.get_by_role("button", name=f"Change role {email}").click()
    dialog = owner.get_by_role("dialog")
    dialog.get_by_label("Role").select_option("admin")
    axe(owner)
    dialog.get_by_role("button", name="Change role").click()
    phone.reload()
    expect(phone.get_by_role("button", name="Send invitation")).to_be_visible()
    axe(phone)
    fits(phone)
