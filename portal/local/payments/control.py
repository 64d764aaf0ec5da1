"""The controls for tests under /_sekisho/ (listed in the package's docstring).

They take JSON only, declared as such: a web page of somebody else's cannot send that to this server
without asking it first, and it does not answer such questions.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .errors import ApiError
from .faults import Fault, Faults
from .http import Request, Response, json_response
from .money import check_currency
from .resources import balance, due, payouts
from .store import Store, public
from .webhooks import Courier

_Control = Callable[[dict[str, Any]], dict[str, Any]]


class Control:
    def __init__(self, store: Store, faults: Faults, courier: Courier) -> None:
        self._store = store
        self._faults = faults
        self._courier = courier
        self._controls: dict[str, tuple[_Control, set[str]]] = {
            "clock": (self._clock, {"now"}),
            "fault": (self._fault, {"operation", "when", "times", "how", "clear"}),
            "fee": (self._fee, {"amount", "currency", "description"}),
            "outcome": (self._outcome, {"id", "outcome"}),
            "payout": (self._payout, {"currency"}),
            "webhooks": (self._webhooks, {"enabled", "discard"}),
            "webhooks/redeliver": (self._redeliver, {"event", "times"}),
        }

    def answer(self, request: Request) -> Response:
        try:
            return json_response(200, self._perform(request))
        except ApiError as error:
            return json_response(error.status, error.body)

    def _perform(self, request: Request) -> dict[str, Any]:
        path = request.path.removeprefix("/_sekisho/")
        match request.method, path:
            case "GET", "healthz":
                clock = self._store.setting("clock")
                return {"status": "ok", "clock": clock, "holding": self._faults.holding}
            case "GET", "webhooks":
                return self._courier.report()
            case "POST", known if known in self._controls:
                control, keys = self._controls[known]
                return control(_read(request, keys))
        raise ApiError(f"No such control: {request.method} {request.path}", status=404)

    def _clock(self, given: dict[str, Any]) -> dict[str, Any]:
        now = given.get("now")
        if now is not None:
            try:
                moment = datetime.fromisoformat(now)
            except (TypeError, ValueError):
                raise ApiError('now must be a time such as "2026-01-31T23:59:59Z"') from None
            if moment.tzinfo is None:
                raise ApiError("now must say its time zone, for example by a final Z", param="now")
            now = moment.astimezone(UTC).isoformat()
        self._store.set_setting("clock", now)
        return {"clock": now}

    def _fault(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("clear"):
            self._faults.clear()
            return {"cleared": True}
        operation, when = given.get("operation"), given.get("when", "before")
        times, how = given.get("times", 1), given.get("how", "drop")
        if not isinstance(operation, str) or " /" not in operation:
            raise ApiError('operation must be one such as "POST /v1/refunds"', param="operation")
        if when not in {"before", "after"}:
            raise ApiError('when must be "before" or "after"', param="when")
        if how not in {"drop", "error", "hold"}:
            raise ApiError('how must be "drop", "error" or "hold"', param="how")
        fault = Fault(operation=operation, when=when, times=_count(times), how=how)
        self._faults.add(fault)
        return {"operation": operation, "when": when, "times": fault.times, "how": how}

    def _webhooks(self, given: dict[str, Any]) -> dict[str, Any]:
        if "enabled" in given:
            if not isinstance(given["enabled"], bool):
                raise ApiError("enabled must be true or false", param="enabled")
            self._courier.enable(given["enabled"])
        discarded = self._courier.discard() if given.get("discard") else 0
        return {"enabled": self._store.setting("webhooks") is None, "discarded": discarded}

    def _redeliver(self, given: dict[str, Any]) -> dict[str, Any]:
        event, times = given.get("event"), _count(given.get("times", 1))
        if not isinstance(event, str):
            raise ApiError("event must be the id of an event", param="event")
        if self._courier.url is None:
            raise ApiError("There is no webhook URL to deliver to", status=409)
        self._courier.redeliver(event, times)
        return {"event": event, "times": times}

    def _payout(self, given: dict[str, Any]) -> dict[str, Any]:
        with self._store.transaction() as tx:
            return public(payouts.create_automatic(tx, _text(given, "currency")))

    def _outcome(self, given: dict[str, Any]) -> dict[str, Any]:
        with self._store.transaction() as tx:
            return public(due.decide(tx, _text(given, "id"), _text(given, "outcome")))

    def _fee(self, given: dict[str, Any]) -> dict[str, Any]:
        amount, currency = given.get("amount"), _text(given, "currency")
        if not isinstance(amount, int) or isinstance(amount, bool) or amount < 1:
            raise ApiError("amount must be a whole number of minor units", param="amount")
        check_currency(currency)
        with self._store.transaction() as tx:
            return public(
                balance.charge_fee(tx, amount, currency, given.get("description") or "Stripe fee")
            )


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ApiError(f"{name} must be a string", param=name)
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
        raise ApiError("times must be a whole number from 1 to 1000", param="times")
    return value


def _read(request: Request, known: set[str]) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise ApiError("Send JSON, with Content-Type: application/json", status=415)
    try:
        given = json.loads(request.body or b"{}")
    except ValueError:
        raise ApiError("The body is not valid JSON") from None
    if not isinstance(given, dict) or not given.keys() <= known:
        raise ApiError(f"Send a JSON object with these keys only: {', '.join(sorted(known))}")
    return given
