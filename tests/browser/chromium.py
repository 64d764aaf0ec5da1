"""The system's Chromium, under Playwright, kept from calling home."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)

from portal.supervisor.processes import BASE_DIR

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)
OURS = frozenset({"localhost", "127.0.0.1"})
FILES = frozenset({"stylesheet", "script", "font", "image", "media"})  # that a page is made of
# Where pictures are kept.
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS_DIR") or BASE_DIR / "var" / "screenshots")


def chromium_path() -> str | None:
    """Return the browser that CHROMIUM names, or the first one on the PATH; None without any."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium_running(path: str) -> Iterator[Browser]:
    """Start a browser without a window."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to be root in one
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *sandbox])
        yield browser
        browser.close()


class Visitor:
    """One person's browser window. It notes whatever a page must not do.

    `problems` lists errors of scripts and of the content security policy, answers of 500 and above,
    files of a page that were refused, and requests that would have left the machine: the browser
    finds nobody else (ARGUMENTS). To route requests through here would stop those as well, but
    keeps the browser from its cache.
    """

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.problems: list[str] = []
        self.context: BrowserContext = browser.new_context(**{"locale": "en-US", **options})
        self.context.on("request", self._at_home)
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        self.page.on("console", self._without_error)
        self.page.on("response", self._answered)

    def _without_error(self, message: ConsoleMessage) -> None:
        # Answers are looked at below: a page may be refused, and say so.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.problems.append(f"console, on {self.page.url}: {message.text}")

    def _answered(self, response: Response) -> None:
        worst = 400 if response.request.resource_type in FILES else 500
        if response.status >= worst:
            self.problems.append(f"{response.status} {response.url}")

    def _at_home(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.hostname not in OURS:
            self.problems.append(f"a request off the site: {request.url}")

    def close(self) -> None:
        self.context.close()
