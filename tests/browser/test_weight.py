"""What the pages weigh when somebody sees them for the first time, and that nothing jumps on them.

As production serves them: with DEBUG=false files are compressed, and named by their content.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, expect

from portal.demo.expect import wait_for
from portal.demo.gateway import Caller
from portal.supervisor.environment import HOST, Ports
from portal.supervisor.processes import BASE_DIR
from portal.supervisor.stack import Stack
from tests.browser.acts import Check, calls_until_known, fits, sign_up
from tests.browser.chromium import Visitor

MOST_BYTES = 150_000
MOST_SHIFT = 0.01
PUBLIC = ("/", "/plans/", "/accounts/signup/")
MEMBERS = ("/dashboard/", "/usage/", "/billing/")
LOOKS: dict[str, dict[str, Any]] = {
    "wide": {},
    "narrow": {
        "viewport": {"width": 360, "height": 740}, "locale": "ja-JP", "color_scheme": "dark",
    },
}  # fmt: skip
# What moved, by how much: it says where to look when this fails.
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      const moved = sources.map(({ node }) => node?.className ?? node?.textContent ?? "");
      window.shifts.push({ value, moved: moved.join(" | ") });
    }
  }).observe({ type: "layout-shift", buffered: true });
"""


@dataclass(frozen=True)
class View:
    """A first view: bytes over the network, what moved and by how much, and what went wrong."""

    weight: int
    shifts: list[dict[str, Any]]
    problems: list[str]

    @property
    def shift(self) -> float:
        total: float = sum(each["value"] for each in self.shifts)
        return round(total, 4)


@pytest.fixture(scope="module")
def site_url(stack: Stack) -> Iterator[str]:
    """Another web server of the same installation, as production has it."""
    port = Ports.free().portal
    url = f"http://localhost:{port}"
    environment = {**stack.environment, "DEBUG": "false", "SITE_URL": url}
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    others = [f"--ignore={name}" for name in ("admin", "rest_framework", "drf_spectacular_sidecar")]
    subprocess.run([*collect, *others], cwd=BASE_DIR, env=environment, check=True)
    serve = (sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", f"{HOST}:{port}",
             "--threads", "4", "--no-control-socket")  # fmt: skip
    server = subprocess.Popen(serve, cwd=BASE_DIR, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for("the web server", lambda: _answers(url), "200", seconds=60)
        yield url
    finally:
        server.terminate()
        server.wait(10)


def _answers(url: str) -> str:
    try:
        return str(httpx.get(f"{url}/healthz", timeout=2).status_code)
    except httpx.TransportError:
        return "nothing"


def first_view(browser: Browser, url: str, address: str, **options: Any) -> View:
    """Open a page in a browser that has nothing of the site yet, and wait for what is polled."""
    visitor = Visitor(browser, base_url=url, **options)
    page = visitor.page
    loaded: list[float] = []
    network = visitor.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda each: loaded.append(each["encodedDataLength"]))
    page.add_init_script(SHIFTS)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    weight = int(sum(loaded))
    if page.locator("[data-polled]").count():
        with page.expect_response("**/dashboard/live/"):
            pass  # what is polled takes the place of what was there
    view = View(weight, page.evaluate("window.shifts"), visitor.problems)
    assert urlsplit(page.url).path == address
    visitor.close()
    return view


def test_a_first_view_is_light_and_calm(site_url: str, stack: Stack, browser: Browser) -> None:
    member = Visitor(browser, base_url=site_url)
    sign_up(member.page, organization="Light Ltd")
    key = member.page.get_by_test_id("api-key-value").inner_text()
    caller = Caller(stack.environment["API_BASE_URL"])
    calls_until_known(caller, key)
    caller.close()
    member.page.locator("canvas#usage-chart").wait_for(timeout=60_000)
    state = member.context.storage_state()
    member.close()

    found: dict[str, View] = {}
    for address in (*PUBLIC, *MEMBERS):
        signed_in = {"storage_state": state} if address in MEMBERS else {}
        for look, options in LOOKS.items():
            view = first_view(browser, site_url, address, **options, **signed_in)
            found[f"{address} {look}"] = view
    for name, view in found.items():
        print(f"{name}: {view.weight / 1000:.1f} kB, shift {view.shift}")
    assert {name: view.weight for name, view in found.items() if view.weight > MOST_BYTES} == {}
    assert {name: view.shifts for name, view in found.items() if view.shift > MOST_SHIFT} == {}
    assert [problem for view in found.values() for problem in view.problems] == []


@pytest.mark.parametrize("look", LOOKS)
def test_a_page_that_is_not_there(site_url: str, browser: Browser, axe: Check, look: str) -> None:
    visitor = Visitor(browser, base_url=site_url, **LOOKS[look])
    visitor.page.goto("/no-such-page/")
    expect(visitor.page.get_by_text("404")).to_be_visible()
    axe(visitor.page)
    fits(visitor.page)
    visitor.close()
    assert visitor.problems == []
