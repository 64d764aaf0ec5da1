"""Those who call: their keys, what they are told, and the programs that act for them."""

import re

import httpx
from playwright.sync_api import expect

from portal.demo.expect import wait_for
from portal.demo.gateway import FORBIDDEN
from tests.browser.acts import PATIENCE, answered, calls_until_known, sign_up, told
from tests.browser.flows.walk import Walk, opener
from tests.receiver import Receiver


def signing_up(walk: Walk) -> None:
    page = walk.page
    for address, what in (("/", "start"), ("/plans/", "plans"), ("/accounts/signup/", "sign-up")):
        page.goto(address)
        walk.see(what)
    walk.email = sign_up(page, organization=walk.organization)
    walk.key = page.get_by_test_id("api-key-value").inner_text()
    walk.see("first key")


def first_call(walk: Walk) -> None:
    calls_until_known(walk.caller, walk.key)
    walk.stack.manage("sync_usage")  # beat would, within ten seconds
    walk.page.goto("/dashboard/")
    expect(walk.page.get_by_test_id("used-period")).not_to_have_text("0")
    expect(walk.page.locator("canvas#usage-chart")).to_be_visible()
    walk.see("dashboard after the first call")
    walk.page.goto("/usage/")
    expect(walk.page.locator("canvas#usage-chart")).to_be_visible()
    walk.see("usage")


def keys(walk: Walk) -> None:
    """Create a key, rotate it with an overlap, end that, revoke the key."""
    page, value = walk.page, walk.page.get_by_test_id("api-key-value")
    page.goto("/keys/")
    page.locator("#id_name").fill("production")
    walk.send("/keys/create/")
    created = value.inner_text()
    walk.see("key created")
    calls_until_known(walk.caller, created)

    row = page.locator("tr", has_text="production").first
    row.locator(opener("rotate-")).click()
    walk.see("rotate")
    walk.agree()
    expect(value).not_to_have_text(created)
    rotated = value.inner_text()
    walk.see("rotated")
    calls_until_known(walk.caller, rotated)
    assert walk.caller.patient(created) == "200"
    page.locator(opener("end-old-")).click()
    walk.see("end the old value")
    walk.agree()
    expect(page.get_by_test_id("old-value")).to_have_count(0)
    answered(walk.caller, created, FORBIDDEN)

    row.locator(opener("revoke-")).click()
    walk.see("revoke")
    walk.agree()
    told(page)
    answered(walk.caller, rotated, FORBIDDEN)
    walk.see("revoked")


def alerts(walk: Walk) -> None:
    """Ask to be told at one percent; be told of the next call, and note that."""
    page = walk.page
    page.goto("/settings/alerts/")
    page.locator("[name=quota_percents]").fill("1")
    walk.send("/settings/alerts/")
    told(page)
    walk.see("alert settings")
    assert walk.caller.patient(walk.key) == "200"
    page.goto("/alerts/")

    def has_come() -> bool:
        page.reload()  # nothing pushes an alert to who looks
        return page.get_by_test_id("alerts").count() > 0

    wait_for("the alert", has_come, True, seconds=2 * PATIENCE)
    walk.see("alert told")
    walk.send("/alerts/seen/")
    expect(page.locator(".bell__count")).to_have_count(0)
    walk.see("alert seen")


def webhooks(walk: Walk) -> None:
    """Add an endpoint, and see a test event arrive without a reload."""
    page = walk.page
    page.goto("/settings/webhooks/create/")
    with Receiver() as receiver:
        page.locator("[name=url]").fill(receiver.url)
        page.locator("[name=event_types][value='key.revoked']").check()
        walk.see("endpoint")
        page.locator("main form button").click()
        secret = page.get_by_test_id("webhook-secret").inner_text()
        walk.see("endpoint added")
        walk.send("/test/")
        expect(page).to_have_url(re.compile("/deliveries/"))
        expect(page.locator("#webhook-attempts[data-state=succeeded]")).to_be_visible()
        walk.see("test event")
        (event,) = receiver.verified(secret)
    assert event["type"] == "webhook.test"


def token(walk: Walk) -> None:
    page = walk.page
    page.goto("/settings/tokens/")
    walk.see("tokens")
    page.locator("[name=name]").fill("nightly")
    page.locator("[name=scopes][value='usage:read']").check()
    walk.send("/settings/tokens/")
    value = page.get_by_test_id("token-value").inner_text()
    walk.see("token made")
    url, headers = f"{walk.stack.site_url}/api/v1/usage/", {"Authorization": f"Bearer {value}"}
    answer = httpx.get(url, headers=headers)
    assert answer.status_code == 200, answer.text
