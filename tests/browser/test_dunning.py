"""An unpaid invoice in a browser: stopped, told why, paid with another card, at work again."""

import re
import time

from playwright.sync_api import expect

from portal.demo.gateway import FORBIDDEN, Caller
from portal.demo.story import DECLINED_CARD, GOOD_CARD
from portal.supervisor.stack import Stack
from tests.browser.acts import Check, Visit, pay, sign_up

ASKS_EVERY_TIME = "4000002760003184"


UNPAID = "from tests.browser.states import unpaid; unpaid({name!r}, card={card!r}, days={days})"
UNTIL_SUSPENDED = """
from datetime import timedelta
from django.utils import timezone
from tests.browser.states import dunned
dunned(timezone.now() + timedelta(days=1), days=15)
"""


def wait_for(caller: Caller, key: str, answer: str) -> None:
    """Call until the gateway answers so: a worker tells it within seconds."""
    until = time.monotonic() + 30
    while (last := caller.patient(key)) != answer:
        assert time.monotonic() < until, last


def mailed(stack: Stack, name: str) -> str:
    """Wait for the mail that asks a tenant to confirm a payment; return the link in it."""
    until = time.monotonic() + 30
    while True:
        for path in (stack.var_dir / "mail").glob("*"):
            text = path.read_text()
            link = re.search(r"http\S+/pay/", text)
            if name in text and link:
                return link[0]
        assert time.monotonic() < until
        time.sleep(0.1)


def test_declined_dunned_suspended_paid_and_at_work_again(
    visit: Visit, axe: Check, stack: Stack, caller: Caller
) -> None:
    page = visit()
    sign_up(page, organization="Late Ltd")
    key = page.get_by_test_id("api-key-value").inner_text()
    expect(page.locator("#key-state")).to_contain_text("Active")
    page.goto("/billing/")
    expect(page.get_by_text("No card is saved")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Add a card").click()
    pay(page, GOOD_CARD)
    expect(page.get_by_text("Paid, and in effect")).to_be_visible()

    script = UNPAID.format(name="Late Ltd", card="pm_card_visa_chargeDeclined", days=2)
    stack.manage("shell", "-c", script)
    page.goto("/billing/")
    expect(page.get_by_text("A payment is overdue")).to_be_visible()
    expect(page.get_by_text("The bank declined the card.").first).to_be_visible()
    axe(page)
    assert caller.patient(key) == "200"

    stack.manage("shell", "-c", UNTIL_SUSPENDED)
    page.goto("/keys/")
    expect(page.get_by_text("Your API keys are stopped")).to_be_visible()
    axe(page)
    wait_for(caller, key, FORBIDDEN)

    page.get_by_role("link", name="Pay it, and they work again within seconds").click()
    expect(page.get_by_test_id("due")).to_have_text("$29.00")
    axe(page)
    page.get_by_role("button", name="Pay now").click()
    pay(page, DECLINED_CARD)
    expect(page.get_by_test_id("error")).to_contain_text("declined")
    pay(page, GOOD_CARD)
    expect(page.get_by_text("Paid. Thank you.")).to_be_visible()
    axe(page)
    wait_for(caller, key, "200")
    page.goto("/keys/")
    expect(page.get_by_text("Your API keys are stopped")).to_have_count(0)


def test_a_bank_that_asks_is_answered_by_the_mails_link(
    visit: Visit, axe: Check, stack: Stack, caller: Caller
) -> None:
    page = visit()
    sign_up(page, organization="Careful Bank")
    key = page.get_by_test_id("api-key-value").inner_text()
    expect(page.locator("#key-state")).to_contain_text("Active")
    page.goto("/billing/")
    page.get_by_role("button", name="Add a card").click()
    pay(page, ASKS_EVERY_TIME)
    page.get_by_test_id("complete").click()
    expect(page.get_by_text("Paid, and in effect")).to_be_visible()

    # Nobody is there when the card is charged: the bank asks in vain, until the keys stop.
    stack.manage("shell", "-c", UNPAID.format(name="Careful Bank", card="", days=0))
    link = mailed(stack, "Careful Bank")
    stack.manage("shell", "-c", UNTIL_SUSPENDED)
    wait_for(caller, key, FORBIDDEN)

    page.goto(link)
    expect(page.get_by_test_id("reason")).to_contain_text("wants you to confirm")
    axe(page)
    page.get_by_role("button", name="Pay now").click()
    pay(page, ASKS_EVERY_TIME)
    page.get_by_test_id("fail").click()
    expect(page.get_by_test_id("error")).to_contain_text("could not be authenticated")
    pay(page, ASKS_EVERY_TIME)
    page.get_by_test_id("complete").click()
    expect(page.get_by_text("Paid. Thank you.")).to_be_visible()
    wait_for(caller, key, "200")

    page.goto("/billing/")
    page.get_by_role("button", name="Remove 3184").first.click()
    axe(page)
    page.get_by_role("button", name="Remove card").click()
    expect(page.get_by_text("The card ending in 3184 was removed.")).to_be_visible()
