"""`/_sekisho/…`: what tests may do to the local AWS that nobody can do to the real one.

    GET    /_sekisho/healthz                        200 once it serves
    POST   /_sekisho/clock      {"now": "2026-12-01T00:00:00Z"}   runs on from there; null: real
    POST   /_sekisho/usage-lag  {"seconds": 2700}   GetUsage answers as of that long ago (0–3600)
    POST   /_sekisho/attach     {"keeps": true}     a key that returns to a plan keeps its counter
    POST   /_sekisho/fault      {"operation": "CreateApiKey", "when": "before" | "after",
                                 "times": 1, "status": 500 | "drop"}
    DELETE /_sekisho/fault                          forget every fault

A fault lets calls fail before or after their effect, with a status, or by closing the connection.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from portal.local.aws.clock import Clock
from portal.local.aws.errors import ApiError, BadRequest, NotFound
from portal.local.aws.faults import Fault, Faults
from portal.local.aws.history import MAX_LAG_SECONDS
from portal.local.aws.meter import Meter
from portal.local.aws.usage import Usage
from portal.local.aws.wire import Request, Response

PREFIX = "/_sekisho/"


class Controls:
    def __init__(self, clock: Clock, usage: Usage, meter: Meter, faults: Faults) -> None:
        self._clock = clock
        self._usage = usage
        self._meter = meter
        self._faults = faults

    def answer(self, request: Request) -> Response:
        try:
            return Response.of_json(200, self._run(request))
        except ApiError as error:
            return error.response()

    def _run(self, request: Request) -> dict[str, Any]:
        match request.method, request.path.removeprefix(PREFIX):
            case "GET", "healthz":
                return {"status": "ok"}
            case "POST", "clock":
                self._clock.set(_moment(_body(request).get("now")))
                now = datetime.fromtimestamp(self._clock.time(), UTC)
                return {"now": now.isoformat().replace("+00:00", "Z")}
            case "POST", "usage-lag":
                seconds = _whole(_body(request), "seconds", 0, MAX_LAG_SECONDS)
                self._usage.lag_seconds = seconds
                return {"seconds": seconds}
            case "POST", "attach":
                keeps = _body(request).get("keeps")
                if not isinstance(keeps, bool):
                    raise BadRequest(f"Invalid keeps {keeps!r}: use true or false")
                self._meter.keep_on_attach = keeps
                return {"keeps": keeps}
            case "POST", "fault":
                self._faults.add(_fault(_body(request)))
                return {}
            case "DELETE", "fault":
                self._faults.clear()
                return {}
        raise NotFound(f"No such control: {request.method} {request.path}")


def _body(request: Request) -> Mapping[str, Any]:
    try:
        document = json.loads(request.body)
    except ValueError:
        raise BadRequest("JSON is expected") from None
    if not isinstance(document, dict):
        raise BadRequest("An object is expected")
    return document


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise BadRequest(f"Invalid now {text!r}: use ISO 8601, e.g. 2026-12-01T00:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole(body: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadRequest(f"Invalid {name} {value!r}: a whole number from {least} to {most}")
    return value


def _fault(body: Mapping[str, Any]) -> Fault:
    operation, when = body.get("operation"), body.get("when")
    if not isinstance(operation, str) or not operation:
        raise BadRequest("A fault names an operation, e.g. CreateApiKey")
    if when not in ("before", "after"):
        raise BadRequest(f"Invalid when {when!r}: use before or after")
    status = None
    if body.get("status", 500) != "drop":
        status = _whole({"status": 500, **body}, "status", 400, 599)
    return Fault(operation, when, _whole({"times": 1, **body}, "times", 1, 1_000_000), status)
