"""Each flow in English and Japanese, wide and at 360 px."""

import shutil
from typing import Any

import pytest
from playwright.sync_api import Page

from portal.demo.gateway import Caller
from portal.supervisor.stack import Stack
from tests.browser import flows
from tests.browser.acts import PHONE, WIDE, Check, Visit
from tests.browser.chromium import SCREENSHOTS

pytestmark = pytest.mark.database  # not in this process, but in all of the installation's

ENGLISH, JAPANESE = {"locale": "en-US"}, {"locale": "ja-JP"}
DARK = {"color_scheme": "dark"}
WINDOWS: dict[str, dict[str, Any]] = {
    "english-1280": {"viewport": WIDE, **ENGLISH},
    "english-360": {"viewport": PHONE, **ENGLISH, **DARK},
    "japanese-1280": {"viewport": WIDE, **JAPANESE},
    "japanese-360": {"viewport": PHONE, **JAPANESE, **DARK},
}
# Between them these have both languages and widths, light and dark, which is what axe looks at.
# That takes a fifth of a walk.
LOOKED_INTO = ("english-1280", "japanese-360")


@pytest.mark.parametrize("window", WINDOWS)
def test_every_flow_is_gone_through(
    visit: Visit, axe: Check, stack: Stack, caller: Caller, window: str
) -> None:
    pictures = SCREENSHOTS / "flows" / window
    shutil.rmtree(pictures, ignore_errors=True)  # those of another run, which had other steps

    def open_window() -> Page:
        return visit(**WINDOWS[window])

    look = axe if window in LOOKED_INTO else None
    walk = flows.Walk(open_window, stack, caller, look, pictures, f"Flows {window}")
    for flow in flows.IN_ORDER:
        flow(walk)
