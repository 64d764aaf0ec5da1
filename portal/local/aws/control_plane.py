"""The control plane that is ours: who answers which operation.

What an operation's path and status are is said in botocore's model; see `operations`.
"""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from portal.local.aws import amended
from portal.local.aws.clock import Clock
from portal.local.aws.errors import ApiError, BadRequest, Unsupported
from portal.local.aws.keys import Keys
from portal.local.aws.meter import Meter
from portal.local.aws.operations import MINISTACK, Operation, Parameters, operation_of
from portal.local.aws.paging import page_asked
from portal.local.aws.plans import Plans, StageExists
from portal.local.aws.store import Store
from portal.local.aws.tags import Tags
from portal.local.aws.usage import Usage
from portal.local.aws.wire import Request, Response, Scope

Json = dict[str, Any]
Result = Json | None
Handler = Callable[["ControlPlane", Request, Parameters], Result | Awaitable[Result]]


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
        self._one_at_a_time = asyncio.Lock()  # what is read and written again must not change
        self.keys = Keys(store, clock)
        self.plans = Plans(store, self.keys, meter, stage_exists)
        self.usage = Usage(store, clock, self.keys, self.plans, meter)
        self.tags = Tags(store, self.keys, self.plans)

    async def answer(self, operation: Operation, at: Parameters, request: Request) -> Response:
        """Carry an operation out. Refusals come back as AWS's error responses."""
        try:
            handler = HANDLERS.get(operation.name)
            if handler is None:
                raise Unsupported(operation.name)
            try:
                document = handler(self, request, at)
                if inspect.isawaitable(document):
                    async with self._one_at_a_time:
                        document = await document
            finally:
                if operation.method != "GET":
                    self._changed()
        except ApiError as error:
            return error.response()
        if document is None:
            return Response(operation.status)
        return Response.of_json(operation.status, document)


def claimed(scope: Scope, authorization: str) -> tuple[Operation, Parameters] | None:
    """The operation that a request asks for, where it is not ministack's to answer."""
    found = operation_of(
        scope["method"], scope["path"], scope.get("query_string", b""), authorization
    )
    return None if found is None or found[0].name in MINISTACK else found


def _get_keys(plane: ControlPlane, request: Request, at: Parameters) -> Result:
    return plane.keys.find(
        page_asked(request),
        name=request.query_value("name") or "",
        customer_id=request.query_value("customerId"),
        with_values=_flag(request, "includeValues"),
    )


def _get_plan_keys(plane: ControlPlane, request: Request, at: Parameters) -> Result:
    name = request.query_value("name") or ""
    return plane.plans.find_attached(at["usageplanId"], page_asked(request), name=name)


def _get_usage(plane: ControlPlane, request: Request, at: Parameters) -> Result:
    return plane.usage.read(
        at["usageplanId"],
        request.query_value("startDate"),
        request.query_value("endDate"),
        request.query_value("keyId"),
        page_asked(request),
    )


async def _get_tags(plane: ControlPlane, request: Request, at: Parameters) -> Result:
    return {"tags": await plane.tags.read(request, at["resource_arn"])}


def _untag(plane: ControlPlane, request: Request, at: Parameters) -> Awaitable[None]:
    names = request.query.get("tagKeys", [])
    return plane.tags.remove(request, at["resource_arn"], names)


def _patch(name: str, plane: ControlPlane, request: Request, at: Parameters) -> Awaitable[Json]:
    return amended.patch(name, request, _body(request))


def _create(name: str, plane: ControlPlane, request: Request, at: Parameters) -> Awaitable[Json]:
    return amended.create(name, request, _body(request))


HANDLERS: dict[str, Handler] = {
    "CreateApiKey": lambda p, r, at: p.keys.create(_body(r)),
    "GetApiKeys": _get_keys,
    "GetApiKey": lambda p, r, at: p.keys.get(at["api_Key"], with_value=_flag(r, "includeValue")),
    "UpdateApiKey": lambda p, r, at: p.keys.patch(at["api_Key"], _body(r)),
    "DeleteApiKey": lambda p, r, at: p.keys.delete(at["api_Key"]),
    "CreateUsagePlan": lambda p, r, at: p.plans.create(_body(r)),
    "GetUsagePlans": lambda p, r, at: p.plans.find(page_asked(r), key_id=r.query_value("keyId")),
    "GetUsagePlan": lambda p, r, at: p.plans.describe(at["usageplanId"]),
    "UpdateUsagePlan": lambda p, r, at: p.plans.patch(at["usageplanId"], _body(r)),
    "DeleteUsagePlan": lambda p, r, at: p.plans.delete(at["usageplanId"]),
    "CreateUsagePlanKey": lambda p, r, at: p.plans.attach(at["usageplanId"], _body(r)),
    "GetUsagePlanKeys": _get_plan_keys,
    "GetUsagePlanKey": lambda p, r, at: p.plans.attached(at["usageplanId"], at["keyId"]),
    "DeleteUsagePlanKey": lambda p, r, at: p.plans.detach(at["usageplanId"], at["keyId"]),
    "GetUsage": _get_usage,
    "UpdateUsage": lambda p, r, at: p.usage.update(at["usageplanId"], at["keyId"], _body(r)),
    "GetTags": _get_tags,
    "TagResource": lambda p, r, at: p.tags.add(r, at["resource_arn"], _body(r).get("tags")),
    "UntagResource": _untag,
    "DeleteResource": lambda p, r, at: amended.delete_resource(r, at),
    "DeleteRequestValidator": lambda p, r, at: amended.delete(r),
    "DeleteDeployment": lambda p, r, at: amended.delete_deployment(r, at),
    "GetStages": lambda p, r, at: amended.stages(r),
    **{name: partial(_create, name) for name in amended.CREATIONS},
    **{name: partial(_patch, name) for name in amended.PATCHABLE},
    "UpdateStage": lambda p, r, at: amended.patch_stage(r, _body(r)),
}


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
