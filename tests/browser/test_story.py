"""The story in a browser: sign up, call, run dry, buy more, pay for a plan, convert, operate."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from portal.demo.gateway import EXCEEDED, Caller
from portal.demo.story import DECLINED_CARD, GOOD_CARD, QUOTA
from portal.supervisor.stack import Stack
from tests.browser.acts import Check, Visit, calls_until_known, pay, sign_in, sign_up

pytestmark = pytest.mark.database  # not in this process, but in all of the installation's
ASKS_ONCE = "4000002500003155"


def test_a_tenant_signs_up_runs_dry_and_buys_more(
    visit: Visit, axe: Check, stack: Stack, caller: Caller
) -> None:
    page = visit()
    sign_up(page, organization="Alice Corp")
    expect(page).to_have_url(re.compile(r"/dashboard/$"))
    key = page.get_by_test_id("api-key-value").inner_text()
    axe(page)
    # Active at once, or once htmx has asked often enough.
    expect(page.locator("#key-state")).to_contain_text("Active")
    used = calls_until_known(caller, key)
    page.reload()
    expect(page.get_by_test_id("api-key-value")).to_have_count(0)

    assert used + caller.exhaust(key, most=QUOTA) == QUOTA
    # Beat reads usage every ten seconds, and the page asks for it: no command and no reload.
    expect(page.get_by_test_id("used-period")).to_have_text(str(QUOTA), timeout=30_000)
    expect(page.get_by_test_id("remaining")).to_have_text("0")
    expect(page.get_by_test_id("synced-at")).to_be_visible()
    expect(page.locator("canvas#usage-chart")).to_be_visible()
    expect(page.get_by_test_id("live-today")).to_have_text(str(QUOTA), timeout=30_000)
    expect(page.get_by_test_id("live-refused")).to_have_text(re.compile("[1-9]"))
    expect(page.locator("canvas#live-chart")).to_be_visible()
    axe(page)

    page.get_by_role("link", name="Buy more requests").first.click()
    expect(page).to_have_url(re.compile(r"/billing/extensions/$"))
    axe(page)
    page.get_by_role("button", name="Buy extra-100").or_(
        page.locator("button[name=pack][value=extra-100]")
    ).first.click()
    expect(page.get_by_test_id("pay")).to_be_visible()
    axe(page)
    pay(page, DECLINED_CARD)
    expect(page.get_by_test_id("error")).to_contain_text("declined")
    axe(page)
    assert caller.patient(key) == EXCEEDED

    pay(page, GOOD_CARD)
    expect(page.get_by_text("Paid, and in effect")).to_be_visible()
    axe(page)
    assert caller.patient(key) == "200"


def test_a_paid_plan_begins_at_checkout(visit: Visit, axe: Check) -> None:
    page = visit()
    sign_up(page, organization="Bob Works", plan="starter")
    expect(page.get_by_test_id("pay")).to_be_visible()
    axe(page)
    pay(page, DECLINED_CARD)
    expect(page.get_by_test_id("error")).to_contain_text("declined")
    pay(page, ASKS_ONCE)
    axe(page)
    page.get_by_test_id("fail").click()
    expect(page.get_by_test_id("error")).to_contain_text("could not be authenticated")
    pay(page, ASKS_ONCE)
    page.get_by_test_id("complete").click()
    expect(page.get_by_text("Paid, and in effect")).to_be_visible()

    page.goto("/billing/")
    expect(page.get_by_role("heading", name="Starter")).to_be_visible()
    page.goto("/billing/invoices/")
    expect(page.get_by_role("link", name=re.compile("PDF"))).to_have_count(1)


def test_a_picture_becomes_three_variants(visit: Visit, axe: Check, picture: Path) -> None:
    page = visit()
    sign_up(page, organization="Pictures Ltd")
    page.goto("/uploads/")
    axe(page)

    page.locator("#upload-file").set_input_files(picture)

    expect(page.get_by_test_id("variant")).to_have_count(3, timeout=30_000)  # without a reload
    for image in page.locator(".variant img").all():
        image.scroll_into_view_if_needed()
        expect(image).not_to_have_js_property("naturalWidth", 0)
    axe(page)


def test_an_operator_reaches_every_list_and_changes_a_plan(visit: Visit, stack: Stack) -> None:
    page = visit()
    page.goto("/admin/")
    sign_in(page, "operator@example.com", stack.environment["OPERATOR_PASSWORD"])
    expect(page.locator("#site-name")).to_be_visible()
    expect(page.locator("#logout-form")).to_be_attached()  # in a menu that is closed
    links = page.locator("a[href^='/admin/']").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    lists = {link for link in links if re.fullmatch(r"/admin/\w+/\w+/", link)}
    assert {"/admin/tenants/usageplan/", "/admin/tenants/tenant/"} <= lists
    for address in sorted(lists):
        page.goto(address)
        expect(page.get_by_role("main").or_(page.locator("#content")).first).to_be_visible()

    page.goto("/admin/tenants/usageplan/?q=payg")
    page.locator("#result_list a[href*='/change/']").first.click()
    page.locator("[name=rate_limit]").fill("30")
    page.locator("[name=_save]").click()
    expect(page).to_have_url(re.compile(r"/admin/tenants/usageplan/(\?.*)?$"))
    expect(page.get_by_text("changed successfully")).to_be_visible()
