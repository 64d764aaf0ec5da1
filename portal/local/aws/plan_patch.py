"""UpdateUsagePlan's patch operations, applied to a plan as a whole or not at all.

Paths are those of https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html. A
method override is `/apiStages/{apiId}:{stage}/throttle/{path}/{METHOD}[/rateLimit|burstLimit]`,
where the path may be written plainly or with `~1` for its slashes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from portal.local.aws.errors import BadRequest, NotFound
from portal.local.aws.plan_model import (
    ApiStage,
    UsagePlan,
    number,
    quota_of,
    rate_number,
)
from portal.local.aws.throttle import Limit

_SETTERS = ("add", "replace")
_STAGE_THROTTLE = re.compile(r"/apiStages/([^/:]+):([^/]+)/throttle(?:/(.+))?")


def patch_operations(body: Mapping[str, object]) -> list[tuple[str, str, str | None]]:
    """The (op, path, value) triples of a patch body. Raises BadRequest when it is none."""
    operations = body.get("patchOperations")
    if not isinstance(operations, list) or not operations:
        raise BadRequest("A patch needs at least one patch operation")
    triples = []
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise BadRequest("A patch operation needs an op and a path")
        value = operation.get("value")
        triples.append((str(operation.get("op")), operation["path"], value))
    return triples


def refuse_patch(op: str, path: str, paths: Iterable[str]) -> BadRequest:
    return BadRequest(
        f"Invalid patch path {path!r} specified for op {op!r}. Must be one of: {', '.join(paths)}"
    )


def needed(value: str | None, path: str) -> str:
    if value is None:
        raise BadRequest(f"The patch of {path} needs a value")
    return value


def patch_plan(plan: UsagePlan, operations: list[tuple[str, str, str | None]]) -> UsagePlan:
    """The patched plan. Raises BadRequest or NotFound; stages added are not checked to exist."""
    quota_limit = plan.quota.limit if plan.quota else None
    quota_period = plan.quota.period if plan.quota else None
    quota_offset = plan.quota.offset if plan.quota else 0
    has_quota = plan.quota is not None
    for op, path, value in operations:
        if path == "/quota" and op == "remove":
            has_quota, quota_limit, quota_period, quota_offset = False, None, None, 0
        elif path == "/quota/limit" and op in _SETTERS:
            has_quota, quota_limit = True, number(needed(value, path), path)
        elif path == "/quota/period" and op in _SETTERS:
            has_quota, quota_period = True, needed(value, path)
        elif path == "/quota/offset" and op in _SETTERS:
            has_quota, quota_offset = True, number(needed(value, path), path)
        else:
            plan = _patch_rest(plan, op, path, value)
    quota = quota_of(quota_limit, quota_period, quota_offset) if has_quota else None
    return replace(plan, quota=quota)


def _patch_rest(plan: UsagePlan, op: str, path: str, value: str | None) -> UsagePlan:
    if op == "replace" and path in ("/name", "/description", "/productCode"):
        return _patch_text(plan, path, value or "")
    if path == "/apiStages" and op in ("add", "remove"):
        return _patch_stages(plan, op, needed(value, path))
    if path == "/throttle" and op == "remove":
        return replace(plan, throttle=None)
    if path in ("/throttle/rateLimit", "/throttle/burstLimit") and op in _SETTERS:
        return replace(plan, throttle=_set_limit(plan.throttle or Limit(), path, value))
    if match := _STAGE_THROTTLE.fullmatch(path):
        entry = plan.stage(match[1], match[2])
        if entry is None:
            raise NotFound(f"Usage Plan {plan.id} has no API stage {match[1]}:{match[2]}")
        changed = _patch_methods(entry, op, path, match[3], value)
        return replace(plan, stages=tuple(changed if it is entry else it for it in plan.stages))
    raise refuse_patch(op, path, _PATHS)


_PATHS = (
    "/name",
    "/description",
    "/productCode",
    "/quota",
    "/quota/limit",
    "/quota/offset",
    "/quota/period",
    "/throttle",
    "/throttle/rateLimit",
    "/throttle/burstLimit",
    "/apiStages",
    "/apiStages/{apiId}:{stage}/throttle/{path}/{METHOD}",
)


def _patch_text(plan: UsagePlan, path: str, value: str) -> UsagePlan:
    if path == "/name":
        if not value:
            raise BadRequest("Usage Plan name must not be empty")
        return replace(plan, name=value)
    if path == "/description":
        return replace(plan, description=value)
    return replace(plan, product_code=value or None)


def _patch_stages(plan: UsagePlan, op: str, value: str) -> UsagePlan:
    api_id, colon, stage = value.partition(":")
    if not (api_id and colon and stage):
        raise BadRequest(f"Invalid API stage {value!r}: it is written apiId:stage")
    entry = plan.stage(api_id, stage)
    if op == "remove":
        if entry is None:
            raise NotFound(f"Usage Plan {plan.id} has no API stage {value}")
        return replace(plan, stages=tuple(it for it in plan.stages if it is not entry))
    if entry is not None:
        raise BadRequest(f"API stage {value} is in Usage Plan {plan.id} already")
    return replace(plan, stages=(*plan.stages, ApiStage(api_id, stage)))


def _set_limit(limit: Limit, path: str, value: str | None) -> Limit:
    if path.endswith("/rateLimit"):
        return replace(limit, rate=rate_number(needed(value, path), path))
    return replace(limit, burst=number(needed(value, path), path))


def _patch_methods(
    entry: ApiStage, op: str, path: str, rest: str | None, value: str | None
) -> ApiStage:
    if rest is None:
        if op != "remove":
            raise refuse_patch(op, path, _PATHS)
        return replace(entry, throttle={})
    target, _, last = rest.rpartition("/")
    if last not in ("rateLimit", "burstLimit"):
        target, last = rest, ""
    target = "/" + target.replace("~1", "/").strip("/")
    if not re.fullmatch(r"/(?:.*/)?[A-Z]+", target):
        raise BadRequest(f"Invalid method {target!r} in {path}: it is written /path/METHOD")
    throttle = dict(entry.throttle)
    if op == "remove" and not last:
        if throttle.pop(target, None) is None:
            raise NotFound(f"No throttle is set for {target}")
    elif op in _SETTERS and last:
        throttle[target] = _set_limit(throttle.get(target, Limit()), path, value)
    else:
        raise refuse_patch(op, path, _PATHS)
    return replace(entry, throttle=throttle)
