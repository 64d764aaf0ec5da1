"""The docs pages in a browser: real calls through the real gateway, and what people see of them."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from portal.demo.gateway import EXCEEDED, Caller
from portal.demo.story import QUOTA
from portal.supervisor.stack import Stack
from tests.browser.acts import calls_until_known, sign_up
from tests.browser.chromium import Visitor


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    """A window in which calls are refused: Chromium's console tells that, and nothing else."""
    visitor = Visitor(browser, base_url=stack.site_url)
    yield visitor.page
    visitor.close()
    refusals = ("the server responded with a status of 403", "a status of 429")
    assert [text for text in visitor.problems if not any(r in text for r in refusals)] == []


def test_a_tenant_tries_the_api_with_a_key_of_theirs(
    page: Page, axe: Callable[[Page], None], caller: Caller
) -> None:
    sign_up(page, organization="Try Works")
    value = page.get_by_test_id("api-key-value").inner_text()
    expect(page.locator("#key-state")).to_contain_text("Active")
    calls_until_known(caller, value)

    page.goto("/docs/")
    choice, field = (page.get_by_label(label, exact=True) for label in ("Key", "Value"))
    # The value was shown in this tab a moment ago, and nobody else remembers it.
    expect(choice).to_have_value(value[-4:])
    expect(field).to_have_value(value)
    page.get_by_role("button", name="GET /v1/ping Who am I?").click()
    axe(page)
    execute = page.get_by_role("button", name="Execute")
    answer = page.locator(".live-responses-table tbody")
    execute.click()
    expect(answer).to_contain_text("Try Works")
    expect(answer.locator(".response-col_status")).to_have_text("200")
    axe(page)

    field.fill("sksnobodyhasthisone")
    expect(page.locator("#key-note")).to_contain_text(f"which ends in …{value[-4:]}")
    choice.select_option("Another key")
    field.fill("sksnobodyhasthisone")
    execute.click()
    expect(answer).to_contain_text("invalid_api_key")
    expect(answer.locator(".response-col_status")).to_contain_text("403")
    expect(page.locator(".advice")).to_contain_text("/keys/")

    caller.exhaust(value, most=QUOTA)
    assert caller.patient(value) == EXCEEDED
    choice.select_option(value[-4:])
    execute.click()
    expect(answer).to_contain_text("quota_exceeded")
    expect(answer).to_contain_text("x-amzn-errortype: LimitExceededException")
    expect(page.get_by_role("link", name="Buy more requests").first).to_have_attribute(
        "href", f"{page.evaluate('location.origin')}/billing/extensions/"
    )
    axe(page)

    page.get_by_role("button", name="Create a key for trying").click()
    expect(page.locator("#key-note")).to_contain_text("Go ahead")
    created = page.get_by_test_id("api-key-value").inner_text()
    expect(field).to_have_value(created)

    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.wait_for_load_state("load")
    assert page.evaluate("sessionStorage.getItem('keys')") is None


def test_samples_change_language_together(page: Page) -> None:
    page.goto("/docs/")
    page.get_by_role("button", name="Who am I?").click()
    page.get_by_role("tab", name="curl").press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    expect(page.locator("#ping-python")).to_be_visible()
    page.get_by_role("button", name="Read your usage").click()
    expect(page.locator("#getUsage-python")).to_be_visible()
    expect(page.locator("#getUsage-curl")).to_be_hidden()


def test_the_management_api_is_called_as_who_is_signed_in(
    page: Page, axe: Callable[[Page], None]
) -> None:
    sign_up(page, organization="Manage Works")
    expect(page.locator("#key-state")).to_be_visible()
    page.goto("/api/docs/")
    page.get_by_role("button", name="POST /api/v1/keys/ Create a key", exact=True).click()
    page.locator("textarea").fill('{"name": "by the docs"}')
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table tbody")
    expect(answer.locator(".response-col_status")).to_have_text("201")
    expect(answer).to_contain_text("by the docs")
    axe(page)


def test_a_token_is_made_on_its_page_and_tried_on_the_references(
    page: Page, axe: Callable[[Page], None]
) -> None:
    sign_up(page, organization="Token Works")
    expect(page.locator("#key-state")).to_be_visible()
    page.goto("/settings/tokens/")
    axe(page)
    page.get_by_label("Name", exact=True).fill("nightly")
    page.get_by_label("See the usage and what is left").check()
    page.get_by_role("button", name="Create token").click()
    value = page.get_by_test_id("token-value").inner_text()
    axe(page)
    page.goto("/api/docs/")
    page.get_by_label("Token", exact=True).fill(value)
    page.get_by_role("button", name="GET /api/v1/keys/ List your keys", exact=True).click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table tbody")
    expect(answer.locator(".response-col_status")).to_have_text(re.compile("403"))
    expect(page.locator(".advice")).to_have_text(re.compile("keys:read"))
