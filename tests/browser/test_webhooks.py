"""Webhooks in a browser: an endpoint is added, and a test event is seen to arrive."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_story import Check, Visit, sign_up
from tests.receiver import Receiver

LOOKS = {
    "en": {"viewport": {"width": 1280, "height": 900}, "locale": "en-US"},
    "ja": {"viewport": {"width": 360, "height": 740}, "locale": "ja-JP", "color_scheme": "dark"},
}


@pytest.mark.parametrize("language", LOOKS)
def test_a_test_event_arrives_and_is_shown_without_reload(
    visit: Visit, axe: Check, language: str
) -> None:
    page = visit(**LOOKS[language])
    sign_up(page, organization=f"Hooks {language}")
    page.goto("/settings/webhooks/")
    axe(page)
    page.goto("/settings/webhooks/create/")
    axe(page)
    with Receiver() as receiver:
        page.locator("[name=url]").fill(receiver.url)
        page.locator("[name=event_types][value='key.revoked']").check()
        page.locator("main form button").click()
        secret = page.get_by_test_id("webhook-secret").inner_text()
        axe(page)
        page.locator("form[action$='/test/'] button").click()
        expect(page).to_have_url(re.compile("/deliveries/"))
        expect(page.locator("#webhook-attempts[data-state=succeeded]")).to_be_visible()
        axe(page)
        (event,) = receiver.verified(secret)
    assert event["type"] == "webhook.test"
    page.goto("/settings/webhooks/events/")
    axe(page)
