"""Presets in the admin: an operator sees what a change makes, and has it made of old uploads."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from portal.supervisor.stack import Stack
from tests.browser.acts import Check, Visit, sign_up
from tests.browser.screenshots import LOOKS

OURS = "#content"  # what is around it is Unfold's
# What fades has other colours meanwhile.
STILL = """() => !document.querySelector("#preview.htmx-request")
    && document.getAnimations().every((each) => each.playState !== "running")"""


def operator_at(page: Page, stack: Stack, preset: str) -> None:
    """Sign in as the operator, and open a preset's page."""
    page.goto(f"/admin/conversions/preset/?q={preset}")
    page.locator("[name=login]").fill("operator@example.com")
    page.locator("[name=password]").fill(stack.environment["OPERATOR_PASSWORD"])
    page.locator("#main [type=submit]").first.click()
    page.locator("#result_list a[href*='/change/']").first.click()


def move(page: Page, slider: str, value: int) -> None:
    """Move a slider as a hand does, for which Playwright has no word."""
    page.locator(f"[name={slider}]").evaluate(
        """(slider, value) => {
            slider.value = value;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
        value,
    )


def test_a_change_is_seen_saved_and_made_of_old_uploads(
    visit: Visit, axe: Check, stack: Stack, picture: Path
) -> None:
    member = visit()
    sign_up(member, organization="Old Pictures")
    member.goto("/uploads/")
    member.locator("#upload-file").set_input_files(picture)
    expect(member.get_by_test_id("variant")).to_have_count(3, timeout=60_000)

    page = visit()
    operator_at(page, stack, "web")
    pixels, size = (page.get_by_test_id(name) for name in ("pixels", "size"))
    expect(pixels).to_have_text("1280 × 854")
    page.locator("[name=width]").fill("640")
    expect(pixels).to_have_text("640 × 427")
    large = size.inner_text()
    move(page, "quality", 20)
    expect(page.locator("output[for=id_quality]")).to_have_text("20")
    expect(size).not_to_have_text(large)

    page.locator("[name=width]").fill("")
    expect(page.locator(".field-width .preset-error")).to_have_text(
        "Give a width, a height, or both."
    )
    axe(page, OURS)
    page.locator("[name=width]").fill("640")
    expect(page.locator(".preset-error")).to_have_count(0)

    page.locator("[name=_continue]").click()
    page.get_by_role("link", name="Make it of them").click()
    expect(page.get_by_role("row", name="Web 2 1")).to_be_visible()
    axe(page, OURS)
    page.get_by_role("button", name="Make 1 variant").click()
    expect(page.get_by_test_id("percent")).to_have_text("100 %", timeout=60_000)
    expect(page.get_by_test_id("remake-runs")).to_contain_text("1 to be made, 1 made")
    expect(page.get_by_text("All uploads have version 2 of this variant.")).to_be_visible()
    axe(page, OURS)


def test_only_what_applies_is_shown(visit: Visit, stack: Stack, picture: Path) -> None:
    page = visit()
    operator_at(page, stack, "thumb")
    shown = {"quality": True, "focal_x": False, "watermark_opacity": False, "line_endings": False}

    def expect_shown() -> None:
        for name, is_shown in shown.items():
            expect(page.locator(f"[name={name}]")).to_be_visible(visible=is_shown)

    expect_shown()
    page.locator("[name=fit]").select_option("crop")
    shown["focal_x"] = True
    expect_shown()
    page.locator("[name=format]").select_option("png")
    shown["quality"] = False
    expect_shown()
    page.get_by_text("A file of your own").click()
    page.locator("#preview-picture").set_input_files(picture)
    expect(page.get_by_test_id("format")).to_have_text("PNG")
    before = page.get_by_alt_text("The file as it is")
    expect(before).to_have_js_property("naturalWidth", 2400)
    page.locator("[name=applies_to]").select_option("text")
    shown = dict.fromkeys(shown, False) | {"line_endings": True}
    expect_shown()
    expect(page.locator("[name=format]")).to_have_value("original")


@pytest.mark.parametrize("look", LOOKS)
def test_nobody_is_shut_out(visit: Visit, axe: Check, stack: Stack, look: str) -> None:
    options: dict[str, Any] = LOOKS[look]
    page = visit(**options)
    operator_at(page, stack, "avif")
    expect(page.get_by_test_id("format")).to_have_text("AVIF")
    page.wait_for_function(STILL)
    axe(page, OURS)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= options["viewport"]["width"]
    page.goto("/admin/conversions/preset/add/")
    expect(page.locator(".preset-errors")).to_be_visible()
    page.wait_for_function(STILL)
    axe(page, OURS)
    page.goto("/admin/conversions/remake/begin/?preset=1")
    expect(page.locator(".preset-begin button")).to_contain_text(re.compile(r"\d"))
    axe(page, OURS)
