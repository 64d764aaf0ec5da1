"""A browser without a window: pages, their forms, and cookies, over httpx.

It fills forms as they are on the page, hidden fields and CSRF token included, so a page that a
person could not use fails here too. It runs no scripts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import urljoin

import httpx

VOID = frozenset({"input", "img", "br", "hr", "meta", "link", "source", "wbr", "area", "col"})


class PageProblem(Exception):
    """str() says which page is not as it should be, and how."""


@dataclass
class Form:
    """A form as the page has it: where it goes, and what it would send."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: set[tuple[str, str]] = field(default_factory=set)


class Page(HTMLParser):
    """One page: `forms`, the texts of `data-testid` elements, and all of its visible text."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(convert_charrefs=True)
        self.url = str(response.url)
        self.status = response.status_code
        self.forms: list[Form] = []
        self.html = response.text
        self.texts: dict[str, str] = {}
        self.ids: set[str] = set()
        self._links: list[str] = []
        self._text: list[str] = []
        self._open: list[tuple[str, str]] = []  # tag, data-testid
        self._form: Form | None = None
        self._select = ""
        self._textarea = ""
        self.feed(self.html)
        self.close()

    @property
    def text(self) -> str:
        return " ".join("".join(self._text).split())

    def testid(self, name: str) -> str:
        """Return the text of an element, or the machine's value of a <data> or <time>."""
        if name not in self.texts:
            raise PageProblem(f"{self.url} has no data-testid={name!r}. It says: {self.text[:300]}")
        return " ".join(self.texts[name].split())

    def form(self, action: str) -> Form:
        """Return the form whose address contains `action`."""
        for form in self.forms:
            if action in form.action:
                return form
        raise PageProblem(f"{self.url} has no form for {action}. It says: {self.text[:300]}")

    def links(self, part: str) -> list[str]:
        """Return the addresses of the page's links that contain `part`, each once."""
        return list(dict.fromkeys(link for link in self._links if part in link))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        testid = given.get("data-testid", "")
        if testid:
            self.texts[testid] = ""
        if tag == "a" and given.get("href"):
            self._links.append(urljoin(self.url, given["href"]))
        if "id" in given:
            self.ids.add(given["id"])
        if tag not in VOID:
            machine = given.get("value") or given.get("datetime")
            if testid and tag in {"data", "time"} and machine:
                self.texts[testid], testid = machine, ""
            self._open.append((tag, testid))
        self._form_part(tag, given)

    def _form_part(self, tag: str, given: Mapping[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "form":
            action = urljoin(self.url, given.get("action") or self.url)
            self._form = Form(action, given.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "select":
            self._select = name
            self._form.values.setdefault(name, "")
        elif tag == "option" and self._select:
            if "selected" in given or not self._form.values[self._select]:
                self._form.values[self._select] = value
        elif tag == "textarea":
            self._textarea = name
            self._form.values[name] = ""
        elif tag == "button" or given.get("type") == "submit":
            self._form.buttons.add((name, value))
        elif tag == "input" and name:
            checkable = given.get("type") in {"checkbox", "radio"}
            if not checkable:
                self._form.values[name] = value
            elif "checked" in given:
                self._form.values[name] = value or "on"

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            opened, _ = self._open.pop()
            if opened == tag:
                break
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if any(tag in {"script", "style", "template"} for tag, _ in self._open):
            return
        self._text.append(data)
        if self._textarea and self._form is not None:
            self._form.values[self._textarea] += data
        for _, testid in self._open:
            if testid:
                self.texts[testid] += data


class Browser:
    """One visitor, with their cookies."""

    def __init__(
        self, site_url: str, *, timeout: float = 20, headers: Mapping[str, str] | None = None
    ) -> None:
        """`timeout` is in seconds; `headers` go with each request, as a proxy's would."""
        self.site_url = site_url
        self._client = httpx.Client(follow_redirects=True, timeout=timeout, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._client.close()

    def open(self, address: str) -> Page:
        """Follow a link. Raise PageProblem unless the page is there."""
        response = self.get(address)
        if response.status_code != 200:
            raise PageProblem(f"{address} answers {response.status_code}")
        return Page(response)

    def get(self, address: str) -> httpx.Response:
        return self._client.get(urljoin(self.site_url, address))

    def submit(self, page: Page, action: str, **values: str) -> Page:
        """Fill a form and send it. Raise PageProblem for a field or button that it has not."""
        form = page.form(action)
        sent = dict(form.values)
        for name, value in values.items():
            if name not in sent and (name, value) not in form.buttons:
                raise PageProblem(f"The form for {action} on {page.url} has no {name}={value}")
            sent[name] = value
        response = self._client.request(
            form.method.upper(), form.action, data=sent, headers={"Referer": page.url}
        )
        if response.status_code >= 500:
            raise PageProblem(f"{form.action} answers {response.status_code}")
        return Page(response)

    def send(self, page: Page, action: str, **values: str) -> dict[str, Any]:
        """Post what a page's script would, with the form's own token; return the JSON answer."""
        form = page.form(action)
        token = {"csrfmiddlewaretoken": form.values.get("csrfmiddlewaretoken", "")}
        response = self._client.post(
            form.action, data={**token, **values}, headers={"Referer": page.url}
        )
        if response.status_code != 200:
            raise PageProblem(
                f"{form.action} answers {response.status_code}: {response.text[:200]}"
            )
        answer: dict[str, Any] = response.json()
        return answer
