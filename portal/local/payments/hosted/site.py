"""Serves the pages. Their content security policy allows no inline script or style; its form-action
names the origin that a form's answer leads to, because browsers apply it to redirects as well."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from portal.local.payments.cards import NOT_A_TEST_CARD, by_number
from portal.local.payments.errors import ApiError
from portal.local.payments.faults import Faults
from portal.local.payments.http import Request, Response
from portal.local.payments.resources import due
from portal.local.payments.store import Object, Store, Transaction

from . import flow, form, views
from .texts import language

_STATIC = {
    "checkout.css": "text/css; charset=utf-8",
    "checkout.js": "text/javascript; charset=utf-8",
}
_PATH = re.compile(r"/(checkout|authenticate)/([A-Za-z0-9_]{1,255})")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")


class Site:
    def __init__(self, store: Store, faults: Faults, merchant: str) -> None:
        self._store = store
        self._faults = faults
        self._merchant = merchant

    def answer(self, request: Request) -> Response:
        """Raises Dropped where a fault says so."""
        if request.path.startswith("/static/"):
            return _static(request.path.removeprefix("/static/"))
        match = _PATH.fullmatch(request.path)
        if match is None or request.method not in {"GET", "POST"}:
            return self._message(request, None, 404, "unknown")
        page, id = match.groups()
        operation = f"{request.method} /{page}/{{id}}"
        handler = self._checkout if page == "checkout" else self._authenticate
        try:
            self._faults.strike(operation, "before")
            with self._store.transaction() as tx:
                due.happen(tx)
                response = handler(tx, request, id)
            self._faults.strike(operation, "after")
        except ApiError:
            return self._message(request, None, 500, "failure")
        return response

    def _checkout(self, tx: Transaction, request: Request, id: str) -> Response:
        session = tx.find("checkout.session", id)
        if session is None:
            return self._message(request, None, 404, "unknown")
        if session["status"] == "complete":
            if request.method == "POST":
                return _redirect(flow.success_url(session))
            state = "paid" if session["mode"] == "payment" else "saved"
            return self._message(request, session, 200, state)
        if session["status"] == "expired":
            return self._message(request, session, 410, "expired")
        if request.method == "POST":
            return self._pay(tx, request, session)
        problem = flow.last_error(tx, session)
        return self._form(request, session, form.CardForm(), problem)

    def _pay(self, tx: Transaction, request: Request, session: Object) -> Response:
        filled = form.read(request.body, tx.now)
        if filled.errors:
            return self._form(request, session, filled, None)
        card = by_number(filled.number)
        if card is None:
            return self._form(request, session, filled, NOT_A_TEST_CARD.error().fields)
        outcome = flow.pay(tx, session, card, filled.name, filled.expiry)
        if isinstance(outcome, str):
            return _redirect(outcome)
        return self._form(request, session, filled, outcome.fields)

    def _authenticate(self, tx: Transaction, request: Request, id: str) -> Response:
        intent = flow.find_intent(tx, id)
        if intent is None:
            return self._message(request, None, 404, "unknown")
        session = tx.find("checkout.session", intent["_session"] or "")
        if intent["status"] != "requires_action":
            target = flow.after_bank(tx, intent)
            return _redirect(target) if target else self._message(request, None, 200, "done")
        if request.method == "POST":
            passed = b"outcome=complete" in request.body.split(b"&")
            target = flow.answer_bank(tx, intent, passed=passed)
            return _redirect(target) if target else self._message(request, None, 200, "done")
        method = tx.get("payment_method", intent["payment_method"])
        lang = self._language(request, session)
        body = views.authenticate(lang, self._merchant, intent, method)
        return _page(200, body, session["success_url"] if session else intent["_return_url"])

    def _form(
        self,
        request: Request,
        session: Object,
        filled: form.CardForm,
        problem: Object | None,
    ) -> Response:
        lang = self._language(request, session)
        body = views.checkout(lang, self._merchant, session, filled, problem)
        return _page(200, body, session["success_url"])

    def _message(
        self, request: Request, session: Object | None, status: int, state: str
    ) -> Response:
        lang = self._language(request, session)
        target = None
        if session is not None:
            done = session["status"] == "complete"
            target = flow.success_url(session) if done else session["cancel_url"]
        return _page(status, views.message(lang, self._merchant, state, target), None)

    def _language(self, request: Request, session: Object | None) -> str:
        locale = session["locale"] if session else None
        return language(locale, request.headers.get("accept-language", ""))


def _redirect(url: str) -> Response:
    return Response(303, b"", {"Location": url, "Cache-Control": "no-store"})


def _page(status: int, body: str, leads_to: str | None) -> Response:
    origins = ["'self'"]
    if leads_to:
        parts = urlsplit(leads_to)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if _ORIGIN.fullmatch(origin):
            origins.append(origin)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
        f"form-action {' '.join(origins)}; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(status, body.encode(), headers)


def _static(name: str) -> Response:
    if name not in _STATIC:
        return Response(404, b"Not found\n", {"Content-Type": "text/plain"})
    content = (Path(__file__).parent / "static" / name).read_bytes()
    headers = {"Content-Type": _STATIC[name], "X-Content-Type-Options": "nosniff"}
    return Response(200, content, headers)
