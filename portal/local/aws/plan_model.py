"""Usage plans as values: their wire form, and what AWS refuses about it.

See https://docs.aws.amazon.com/apigateway/latest/api/API_CreateUsagePlan.html. Whether the API
stages exist is checked by the operations, which can ask.
"""

from dataclasses import dataclass, field
from typing import Any

from portal.local.aws.errors import BadRequest
from portal.local.aws.periods import PERIODS
from portal.local.aws.throttle import Limit

Json = dict[str, Any]


@dataclass(frozen=True)
class Quota:
    """`limit` requests per calendar `period`. `offset` is kept and shown, but has no effect:
    its meaning is documented in two contradicting ways."""

    limit: int
    period: str
    offset: int = 0


@dataclass(frozen=True)
class ApiStage:
    """A stage that the plan opens; `throttle` overrides the plan's by "/path/METHOD"."""

    api_id: str
    stage: str
    throttle: dict[str, Limit] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.api_id}:{self.stage}"


@dataclass(frozen=True)
class UsagePlan:
    id: str
    name: str
    description: str = ""
    product_code: str | None = None
    throttle: Limit | None = None
    quota: Quota | None = None
    stages: tuple[ApiStage, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    def stage(self, api_id: str, stage: str) -> ApiStage | None:
        for entry in self.stages:
            if entry.api_id == api_id and entry.stage == stage:
                return entry
        return None


def number(value: object, name: str) -> int:
    """A whole number that is not negative; AWS's patches carry them as strings."""
    try:
        result = int(str(value))
    except ValueError:
        raise BadRequest(f"Invalid value for {name}: {value!r} is not a whole number") from None
    if result < 0:
        raise BadRequest(f"Invalid value for {name}: it must not be negative")
    return result


def rate_number(value: object, name: str) -> float:
    try:
        result = float(str(value))
    except ValueError:
        raise BadRequest(f"Invalid value for {name}: {value!r} is not a number") from None
    if not 0 <= result < float("inf"):
        raise BadRequest(f"Invalid value for {name}: it must be finite and not negative")
    return result


def quota_of(limit: object, period: object, offset: object = 0) -> Quota:
    """A checked quota. AWS wants both limit and period, and an offset below the limit."""
    if limit is None or period is None:
        raise BadRequest("Usage Plan quota must specify both a limit and a period")
    quota = Quota(
        limit=number(limit, "quota limit"),
        period=str(period),
        offset=number(offset or 0, "quota offset"),
    )
    if quota.period not in PERIODS:
        raise BadRequest(f"Invalid quota period {quota.period!r}: use one of {', '.join(PERIODS)}")
    if quota.offset and quota.offset >= quota.limit:
        raise BadRequest("Usage Plan quota offset must be smaller than its limit")
    return quota


def object_of(document: object, name: str) -> Json:
    """A JSON object; an absent one is empty. Raises BadRequest."""
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadRequest(f"Invalid {name}: an object is expected")
    return document


def tags_of(document: object) -> dict[str, str]:
    return {key: str(value) for key, value in object_of(document, "tags").items()}


def limit_of(document: object, name: str) -> Limit:
    document = object_of(document, name)
    return Limit(
        rate=rate_number(document.get("rateLimit", 0), f"{name} rateLimit"),
        burst=number(document.get("burstLimit", 0), f"{name} burstLimit"),
    )


def stage_of(document: object) -> ApiStage:
    if not isinstance(document, dict) or not document.get("apiId") or not document.get("stage"):
        raise BadRequest("An API stage must specify both apiId and stage")
    throttle = {
        str(key): limit_of(limit, f"throttle of {key}")
        for key, limit in object_of(document.get("throttle"), "throttle").items()
    }
    return ApiStage(str(document["apiId"]), str(document["stage"]), throttle)


def plan_of(document: Json, plan_id: str) -> UsagePlan:
    """A checked plan from CreateUsagePlan's body, or from its stored wire form."""
    name = document.get("name")
    if not name or not isinstance(name, str):
        raise BadRequest("Usage Plan name must not be empty")
    quota = object_of(document.get("quota"), "quota")
    throttle = object_of(document.get("throttle"), "throttle")
    entries = document.get("apiStages") or []
    if not isinstance(entries, list):
        raise BadRequest("Invalid apiStages: a list is expected")
    stages = tuple(stage_of(entry) for entry in entries)
    labels = [entry.label for entry in stages]
    if len(set(labels)) < len(labels):
        raise BadRequest("Usage Plan names the same API stage twice")
    return UsagePlan(
        id=plan_id,
        name=name,
        description=str(document.get("description") or ""),
        product_code=document.get("productCode"),
        throttle=limit_of(throttle, "throttle") if throttle else None,
        quota=quota_of(quota.get("limit"), quota.get("period"), quota.get("offset"))
        if quota
        else None,
        stages=stages,
        tags=tags_of(document.get("tags")),
    )


def wire_limit(limit: Limit) -> Json:
    return {"burstLimit": limit.burst, "rateLimit": limit.rate}


def wire_plan(plan: UsagePlan) -> Json:
    stages = []
    for entry in plan.stages:
        stage: Json = {"apiId": entry.api_id, "stage": entry.stage}
        if entry.throttle:
            stage["throttle"] = {key: wire_limit(it) for key, it in entry.throttle.items()}
        stages.append(stage)
    document: Json = {"id": plan.id, "name": plan.name, "apiStages": stages, "tags": plan.tags}
    if plan.description:
        document["description"] = plan.description
    if plan.product_code:
        document["productCode"] = plan.product_code
    if plan.throttle:
        document["throttle"] = wire_limit(plan.throttle)
    if plan.quota:
        quota = plan.quota
        document["quota"] = {"limit": quota.limit, "offset": quota.offset, "period": quota.period}
    return document
