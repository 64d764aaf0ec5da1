"""A whole running installation, and people with browsers who visit it.

Playwright runs an event loop in the main thread, where Django then refuses its ORM: so the browser
ends with this package, and these tests look at the portal from outside only.
"""

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, expect

from portal.demo.gateway import Caller
from portal.demo.picture import photograph
from portal.supervisor.environment import Ports
from portal.supervisor.stack import Stack
from tests.browser.chromium import SCREENSHOTS, Visitor, chromium_path, chromium_running
from tests.browser.database import database_of_its_own

expect.set_options(timeout=20_000)  # two cores, shared with a browser, stall now and then


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep a picture of each page that is open when a test fails."""
    report = yield
    browser = item.funcargs.get("browser") if isinstance(item, pytest.Function) else None
    if call.when == "call" and report.failed and isinstance(browser, Browser):
        pages = [page for context in browser.contexts for page in context.pages]
        name = re.sub(r"[^\w-]+", "-", item.name).strip("-")
        for number, page in enumerate(pages, start=1):
            path = SCREENSHOTS / "failed" / f"{name}-{number}.png"
            with suppress(Error):  # a page that hangs has no picture
                page.screenshot(path=path, full_page=True)
                report.sections.append(("Picture", f"{page.url}: {path}"))
    return report


@pytest.fixture(scope="package")
def chromium() -> str:
    """The browser's path. Without one the tests are skipped; with REQUIRE_BROWSER=1 they fail."""
    path = chromium_path()
    if path is None:
        reason = "There is no Chromium on the PATH, and CHROMIUM names none"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="package")
def stack(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything that `make run` starts, on free ports, with data of its own."""
    with (
        database_of_its_own(),
        Stack(var_dir=tmp_path_factory.mktemp("var"), ports=Ports.free()) as stack,
    ):
        yield stack


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    with chromium_running(chromium) as browser:
        yield browser


@pytest.fixture
def visit(stack: Stack, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a window of somebody new; the test fails if a page did what it must not do."""
    visitors: list[Visitor] = []

    def visit(**options: Any) -> Page:
        visitor = Visitor(browser, base_url=stack.site_url, **options)
        visitors.append(visitor)
        return visitor.page

    yield visit
    for visitor in visitors:
        visitor.close()
    assert [problem for visitor in visitors for problem in visitor.problems] == []


@pytest.fixture
def caller(stack: Stack) -> Iterator[Caller]:
    caller = Caller(stack.environment["API_BASE_URL"])
    yield caller
    caller.close()


@pytest.fixture(scope="session")
def axe() -> Callable[..., None]:
    """Fail where axe finds that a page, or a part of it by its selector, shuts people out."""
    checker = Axe()

    def check(page: Page, part: str | None = None) -> None:
        # A click returns before its page is there: half a document has no landmarks yet.
        page.wait_for_load_state("load")
        results = checker.run(page, part)
        assert results.violations_count == 0, f"{page.url}\n{results.generate_report()}"

    return check


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A JPEG file to upload."""
    path = tmp_path / "lake.jpg"
    path.write_bytes(photograph())
    return path
