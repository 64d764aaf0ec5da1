"""The control plane that is ours: which call it is, and who answers it.

Paths and statuses are those of botocore's `apigateway` model.
"""

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from portal.local.aws.clock import Clock
from portal.local.aws.errors import ApiError, BadRequest
from portal.local.aws.keys import Keys
from portal.local.aws.meter import Meter
from portal.local.aws.paging import page_asked
from portal.local.aws.plans import Plans, StageExists
from portal.local.aws.store import Store
from portal.local.aws.tags import Tags
from portal.local.aws.usage import Usage
from portal.local.aws.wire import Request, Response

Json = dict[str, Any]

_SCOPED_SERVICE = re.compile(r"Credential=[^,]*/([a-z0-9-]+)/aws4_request")


class ControlPlane:
    """`changed` is called after every call that may have changed keys, plans or counters."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        meter: Meter,
        stage_exists: StageExists,
        changed: Callable[[], None],
    ) -> None:
        self._changed = changed
        self.keys = Keys(store, clock)
        self.plans = Plans(store, self.keys, meter, stage_exists)
        self.usage = Usage(store, clock, self.keys, self.plans, meter)
        self.tags = Tags(store, self.keys, self.plans)

    async def answer(self, request: Request) -> Response:
        """Carry a request out. Refusals come back as AWS's error responses."""
        found = operation_of(request)
        try:
            if found is None:
                raise BadRequest(f"Unsupported operation: {request.method} {request.path}")
            operation, parameters = found
            try:
                document = operation.run(self, request, parameters)
                if inspect.isawaitable(document):
                    document = await document
            finally:
                if operation.method != "GET":
                    self._changed()
        except ApiError as error:
            return error.response()
        if document is None:
            return Response(operation.status)
        return Response.of_json(operation.status, document)


Parameters = dict[str, str]
Result = Json | None


@dataclass(frozen=True)
class Operation:
    """One API operation: how it is addressed, what it answers, and what it runs."""

    name: str
    method: str
    path: re.Pattern[str]
    status: int
    run: Callable[[ControlPlane, Request, Parameters], Result | Awaitable[Result]]


def _create_key(plane: ControlPlane, request: Request, at: Parameters) -> Result:
    if request.query_value("mode"):
        raise BadRequest("ImportApiKeys is not supported by the local AWS")
    return plane.keys.create(_body(request))


def _get_keys(plane: ControlPlane, request: Request, at: Parameters) -> Result:
    return plane.keys.find(
        page_asked(request),
        name=request.query_value("name") or "",
        customer_id=request.query_value("customerId"),
        with_values=_flag(request, "includeValues"),
    )


def _get_plan_keys(plane: ControlPlane, request: Request, at: Parameters) -> Result:
    name = request.query_value("name") or ""
    return plane.plans.find_attached(at["plan_id"], page_asked(request), name=name)


def _get_usage(plane: ControlPlane, request: Request, at: Parameters) -> Result:
    return plane.usage.read(
        at["plan_id"],
        request.query_value("startDate"),
        request.query_value("endDate"),
        request.query_value("keyId"),
        page_asked(request),
    )


_KEY = r"/apikeys/(?P<key_id>[^/]+)"
_PLAN = r"/usageplans/(?P<plan_id>[^/]+)"
_JOINED = _PLAN + r"/keys/(?P<key_id>[^/]+)"
_ARN = r"/tags/(?P<arn>arn:[^/]+:apigateway:[^/]*:/(?:apikeys|usageplans)/.+)"

OPERATIONS = tuple(
    Operation(name, method, re.compile(path + "/?"), status, run)
    for name, method, path, status, run in (
        ("CreateApiKey", "POST", "/apikeys", 201, _create_key),
        ("GetApiKeys", "GET", "/apikeys", 200, _get_keys),
        (
            "GetApiKey",
            "GET",
            _KEY,
            200,
            lambda p, r, at: p.keys.get(at["key_id"], with_value=_flag(r, "includeValue")),
        ),
        ("UpdateApiKey", "PATCH", _KEY, 200, lambda p, r, at: p.keys.patch(at["key_id"], _body(r))),
        ("DeleteApiKey", "DELETE", _KEY, 202, lambda p, r, at: p.keys.delete(at["key_id"])),
        ("CreateUsagePlan", "POST", "/usageplans", 201, lambda p, r, at: p.plans.create(_body(r))),
        (
            "GetUsagePlans",
            "GET",
            "/usageplans",
            200,
            lambda p, r, at: p.plans.find(page_asked(r), key_id=r.query_value("keyId")),
        ),
        ("GetUsagePlan", "GET", _PLAN, 200, lambda p, r, at: p.plans.describe(at["plan_id"])),
        (
            "UpdateUsagePlan",
            "PATCH",
            _PLAN,
            200,
            lambda p, r, at: p.plans.patch(at["plan_id"], _body(r)),
        ),
        ("DeleteUsagePlan", "DELETE", _PLAN, 202, lambda p, r, at: p.plans.delete(at["plan_id"])),
        ("GetUsage", "GET", _PLAN + "/usage", 200, _get_usage),
        (
            "UpdateUsage",
            "PATCH",
            _JOINED + "/usage",
            200,
            lambda p, r, at: p.usage.update(at["plan_id"], at["key_id"], _body(r)),
        ),
        (
            "CreateUsagePlanKey",
            "POST",
            _PLAN + "/keys",
            201,
            lambda p, r, at: p.plans.attach(at["plan_id"], _body(r)),
        ),
        ("GetUsagePlanKeys", "GET", _PLAN + "/keys", 200, _get_plan_keys),
        (
            "GetUsagePlanKey",
            "GET",
            _JOINED,
            200,
            lambda p, r, at: p.plans.attached(at["plan_id"], at["key_id"]),
        ),
        (
            "DeleteUsagePlanKey",
            "DELETE",
            _JOINED,
            202,
            lambda p, r, at: p.plans.detach(at["plan_id"], at["key_id"]),
        ),
        ("GetTags", "GET", _ARN, 200, lambda p, r, at: {"tags": p.tags.read(at["arn"])}),
        (
            "TagResource",
            "PUT",
            _ARN,
            204,
            lambda p, r, at: p.tags.add(at["arn"], _body(r).get("tags")),
        ),
        (
            "UntagResource",
            "DELETE",
            _ARN,
            204,
            lambda p, r, at: p.tags.remove(at["arn"], r.query.get("tagKeys", [])),
        ),
    )
)


def is_ours(request_path: str, authorization: str | None) -> bool:
    """Whether a request is about keys, usage plans or their tags (a bucket may be named so too)."""
    head = request_path.split("/", 2)[1] if request_path.startswith("/") else ""
    if head not in ("apikeys", "usageplans") and not (
        head == "tags" and re.fullmatch(_ARN, request_path)
    ):
        return False
    scope = _SCOPED_SERVICE.search(authorization or "")
    return scope is None or scope[1] == "apigateway"


def operation_of(request: Request) -> tuple[Operation, Parameters] | None:
    """The operation that a request of ours asks for, with its path parameters."""
    for operation in OPERATIONS:
        if operation.method == request.method and (match := operation.path.fullmatch(request.path)):
            return operation, match.groupdict()
    return None


def _body(request: Request) -> Json:
    try:
        document = json.loads(request.body or b"{}")
    except ValueError:
        raise BadRequest("Invalid request body: JSON is expected") from None
    if not isinstance(document, dict):
        raise BadRequest("Invalid request body: an object is expected")
    return document


def _flag(request: Request, name: str) -> bool:
    return (request.query_value(name) or "").lower() == "true"
