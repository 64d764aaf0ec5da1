"""Each flow in English and Japanese, wide and at 360 px.

The flows that everybody meets are gone through in all four windows, the others, and axe, in two:
they have each language and each width.
"""

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
EVERYBODYS: tuple[flows.Flow, ...] = (
    flows.signing_up,
    flows.first_call,
    flows.buying_more,
    flows.keys,
    flows.second_factor,
)
ALL: tuple[flows.Flow, ...] = (
    *EVERYBODYS,
    flows.alerts,
    flows.inviting,
    flows.webhooks,
    flows.token,
    flows.changing_plan,
    flows.audit,
    flows.leaving,
)
WINDOWS: dict[str, tuple[dict[str, Any], tuple[flows.Flow, ...]]] = {
    "english-1280": ({"viewport": WIDE, **ENGLISH}, ALL),
    "english-360": ({"viewport": PHONE, **ENGLISH, **DARK}, EVERYBODYS),
    "japanese-1280": ({"viewport": WIDE, **JAPANESE}, EVERYBODYS),
    "japanese-360": ({"viewport": PHONE, **JAPANESE, **DARK}, ALL),
}


@pytest.mark.parametrize("window", WINDOWS)
def test_every_flow_is_gone_through(
    visit: Visit, axe: Check, stack: Stack, caller: Caller, window: str
) -> None:
    options, gone = WINDOWS[window]
    pictures = SCREENSHOTS / "flows" / window
    shutil.rmtree(pictures, ignore_errors=True)  # those of another run, which had other steps

    def open_window() -> Page:
        return visit(**options)

    walk = flows.Walk(
        open_window, stack, caller, axe if gone is ALL else None, pictures, f"Flows {window}"
    )
    for flow in gone:
        flow(walk)
