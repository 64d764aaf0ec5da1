"""The only module that talks to Amazon API Gateway.

Returns our dataclasses and raises our errors:

    GatewayError                 str() says which call, and what was answered
    ├── GatewayUnavailable       no answer, or a server error: it may or may not have happened
    ├── GatewayThrottled         the control plane's rate limit: it did not happen, try later
    ├── GatewayNotFound          the thing is not there
    └── GatewayRefused           it did not happen, and a repeat will not help

Control-plane limits (10 requests/s an account, UpdateUsagePlan once in 20 s) are met by botocore's
adaptive mode in the one worker of the `gateway` queues. UpdateUsage alone is never repeated by
botocore: it sets an absolute figure, so a repeat must be computed afresh (docs/adr/0002).

What surprises: the wire's `values` of GetUsage is `items` in boto3; its paginator's
build_full_result() loses pages; pairs come without dates; map keys are key ids or values.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
ACCOUNT_RATE, ACCOUNT_BURST = 10_000, 5_000
PAGE = 500  # the most that GetUsage and GetApiKeys give at once


class GatewayError(Exception):
    """A call failed. `retryable` says whether the same call may succeed later."""

    retryable = False


class GatewayUnavailable(GatewayError):
    """No answer, or a server error: whether it happened is unknown."""

    retryable = True


class GatewayThrottled(GatewayError):
    """The control plane's rate limit: it did not happen."""

    retryable = True


class GatewayNotFound(GatewayError):
    """The key, plan, API or stage does not exist."""


class GatewayRefused(GatewayError):
    """The gateway understood and refused: it did not happen, and a repeat will not help."""


@dataclass(frozen=True)
class KeyState:
    """A key as the gateway has it."""

    id: str
    name: str
    is_enabled: bool


@dataclass(frozen=True)
class Throttle:
    """A token bucket: requests a second flow in, `burst_limit` is what it holds."""

    rate_limit: float
    burst_limit: int


MethodLimits = Mapping[str, Throttle]  # by the method's name in the gateway, "/v1/jobs/POST"


@dataclass(frozen=True)
class PlanState:
    """A usage plan as the gateway has it. `stages` are limits of methods by "api id:stage"."""

    id: str
    rate_limit: float | None
    burst_limit: int | None
    quota_limit: int | None
    quota_period: str
    stages: Mapping[str, MethodLimits]

    @property
    def fastest(self) -> tuple[float, int]:
        """The rate and the burst of a key that calls everything; 10,000 and 5,000, the account's,
        where it has none.
        """
        methods = [limit for limits in self.stages.values() for limit in limits.values()]
        rate = ACCOUNT_RATE if self.rate_limit is None else self.rate_limit
        burst = ACCOUNT_BURST if self.burst_limit is None else self.burst_limit
        return (
            rate + sum(limit.rate_limit for limit in methods),
            burst + sum(limit.burst_limit for limit in methods),
        )


@dataclass(frozen=True)
class DayUsage:
    """One UTC day of one key: requests used, and what then remained of the quota."""

    day: date
    used: int
    remaining: int


@dataclass(frozen=True)
class KeyUsage:
    """The days of one key. `map_key` is its id or its value: never log it."""

    map_key: str
    days: tuple[DayUsage, ...]


@cache
def _client(endpoint_url: str | None, *, attempts: int) -> Any:
    """Time-outs are short: a tenant's claim (GATEWAY_CLAIM_SECONDS) must outlast one call."""
    return boto3.client(
        "apigateway",
        region_name=settings.AWS_REGION,
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "adaptive", "total_max_attempts": attempts},
        ),
    )


def _call(operation: str, *, attempts: int = 3, **parameters: Any) -> dict[str, Any]:
    """Call one operation of the control plane and map its errors to ours."""
    method: Callable[..., dict[str, Any]] = getattr(
        _client(settings.AWS_ENDPOINT_URL, attempts=attempts), operation
    )
    try:
        return method(**parameters)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response.get("Error", {}).get("Code", "")
        text = f"{operation}: {code}: {error.response.get('Error', {}).get('Message', '')}"
        if code == "TooManyRequestsException" or status == 429:
            raise GatewayThrottled(text) from error
        if code == "NotFoundException":
            raise GatewayNotFound(text) from error
        if status >= 500:
            raise GatewayUnavailable(text) from error
        raise GatewayRefused(text) from error
    except BotoCoreError as error:
        raise GatewayUnavailable(f"{operation}: {error}") from error


def _pages(operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Yield the answers of a call that has pages, one by one."""
    while True:
        answer = _call(operation, limit=PAGE, **parameters)
        yield answer
        if not answer.get("position"):
            return
        parameters["position"] = answer["position"]


def _items(operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Yield what all pages of a listing hold."""
    for answer in _pages(operation, **parameters):
        yield from answer.get("items", [])


# --- Usage plans ---


def _plan_state(answer: dict[str, Any]) -> PlanState:
    throttle, quota = answer.get("throttle", {}), answer.get("quota", {})
    return PlanState(
        id=answer["id"],
        rate_limit=throttle.get("rateLimit"),
        burst_limit=throttle.get("burstLimit"),
        quota_limit=quota.get("limit"),
        quota_period=quota.get("period", ""),
        stages={
            f"{stage['apiId']}:{stage['stage']}": {
                f"/{target.strip('/')}": Throttle(limit["rateLimit"], limit["burstLimit"])
                for target, limit in stage.get("throttle", {}).items()
            }
            for stage in answer.get("apiStages", [])
        },
    )


def usage_plans() -> Iterator[PlanState]:
    """Yield all usage plans of the account and region, also those that are not ours."""
    return map(_plan_state, _items("get_usage_plans"))


def usage_plan_find(*, name: str) -> PlanState | None:
    """Return the usage plan of this name. Ours are unique, they carry a UUID."""
    named = (item for item in _items("get_usage_plans") if item.get("name") == name)
    return next(map(_plan_state, named), None)


def usage_plan_keys(*, plan_id: str) -> Iterator[str]:
    """Yield the ids of the keys in a plan. Raise GatewayNotFound where the plan is not there."""
    return (str(item["id"]) for item in _items("get_usage_plan_keys", usagePlanId=plan_id))


def usage_plans_of(*, key_id: str) -> list[str]:
    """Return the ids of the plans that a key is in."""
    return [str(item["id"]) for item in _items("get_usage_plans", keyId=key_id)]


def usage_plan_create(
    *,
    name: str,
    rate_limit: float,
    burst_limit: int,
    quota_limit: int,
    quota_period: str,
    stages: tuple[str, ...],
    methods: MethodLimits,
) -> PlanState:
    """Create a usage plan. Raise GatewayNotFound where an API or its stage does not exist.

    Not idempotent: AWS makes a second plan of the same name, so look for it first.
    """
    named = (stage.partition(":") for stage in stages)
    return _plan_state(
        _call(
            "create_usage_plan",
            name=name,
            throttle={"rateLimit": rate_limit, "burstLimit": burst_limit},
            quota={"limit": quota_limit, "period": quota_period, "offset": 0},
            apiStages=[
                {
                    "apiId": api_id,
                    "stage": stage_name,
                    "throttle": {
                        target: {"rateLimit": limit.rate_limit, "burstLimit": limit.burst_limit}
                        for target, limit in methods.items()
                    },
                }
                for api_id, _, stage_name in named
            ],
        )
    )


def usage_plan_update(
    *,
    plan: PlanState,
    rate_limit: float,
    burst_limit: int,
    quota_limit: int,
    quota_period: str,
    stages: tuple[str, ...],
    methods: MethodLimits,
) -> PlanState:
    """Make a usage plan what it should be, in one UpdateUsagePlan; none where it is already."""
    wanted = {
        "/throttle/rateLimit": (plan.rate_limit, rate_limit),
        "/throttle/burstLimit": (plan.burst_limit, burst_limit),
        "/quota/limit": (plan.quota_limit, quota_limit),
        "/quota/period": (plan.quota_period, quota_period),
    }
    patches = [
        {"op": "replace", "path": path, "value": str(new)}
        for path, (old, new) in wanted.items()
        if old != new
    ]
    # A new stage is opened before an old one is closed: keys are refused at no moment.
    for stage in stages:
        if stage not in plan.stages:
            patches.append({"op": "add", "path": "/apiStages", "value": stage})
        patches += _method_patches(stage, plan.stages.get(stage, {}), methods)
    patches += [
        {"op": "remove", "path": "/apiStages", "value": old}
        for old in plan.stages
        if old not in stages
    ]
    if not patches:
        return plan
    return _plan_state(_call("update_usage_plan", usagePlanId=plan.id, patchOperations=patches))


def _method_patches(stage: str, old: MethodLimits, new: MethodLimits) -> list[dict[str, str]]:
    """Say what makes a stage's limits of methods new. A target carries its slashes as they are:
    https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html."""
    at = f"/apiStages/{stage}/throttle/"
    patches = []
    for target, limit in new.items():
        if old.get(target) != limit:
            for name, value in (("rateLimit", limit.rate_limit), ("burstLimit", limit.burst_limit)):
                patches.append(
                    {"op": "replace", "path": f"{at}{target}/{name}", "value": str(value)}
                )
    return patches + [{"op": "remove", "path": at + target} for target in old.keys() - new.keys()]


# --- Stages ---


def stage_exists(*, stage: str) -> bool:
    """Say whether there is such a stage, as "api id:stage"."""
    api_id, _, name = stage.partition(":")
    try:
        _call("get_stage", restApiId=api_id, stageName=name)
    except GatewayNotFound:
        return False
    return True


def stage_delete(*, stage: str) -> None:
    """Delete a stage, as "api id:stage"; gone already is as good."""
    api_id, _, name = stage.partition(":")
    try:
        _call("delete_stage", restApiId=api_id, stageName=name)
    except GatewayNotFound:
        return


# --- Keys ---


def api_key_create(*, name: str, value: str) -> str:
    """Create a key, disabled, and return its id; that of the existing one in a repeat.

    AWS lets two keys have one name but refuses a second one with the same value. Ours are both
    derived from the version's UUID, so a refusal means that an earlier attempt had come through.
    """
    try:
        answer = _call("create_api_key", name=name, value=value, enabled=False)
    except GatewayRefused:
        existing = api_key_find(name=name)
        if existing is None:
            raise
        return existing.id
    return str(answer["id"])


def _key_state(answer: dict[str, Any]) -> KeyState:
    return KeyState(
        id=answer["id"], name=answer.get("name", ""), is_enabled=bool(answer.get("enabled"))
    )


def api_keys(*, name: str) -> Iterator[KeyState]:
    """Yield the keys whose names begin so."""
    return map(_key_state, _items("get_api_keys", nameQuery=name, includeValues=False))


def api_key_find(*, name: str) -> KeyState | None:
    """Return the key of exactly this name (AWS's nameQuery matches prefixes)."""
    return next((key for key in api_keys(name=name) if key.name == name), None)


def api_key_read(*, key_id: str) -> KeyState | None:
    """Return a key as it is now; None where it is not there."""
    try:
        return _key_state(_call("get_api_key", apiKey=key_id, includeValue=False))
    except GatewayNotFound:
        return None


def api_key_set_enabled(*, key_id: str, is_enabled: bool) -> None:
    """Enable or disable a key. A disabled key is refused at once."""
    patch = {"op": "replace", "path": "/enabled", "value": str(is_enabled).lower()}
    _call("update_api_key", apiKey=key_id, patchOperations=[patch])


def api_key_delete(*, key_id: str) -> None:
    """Delete a key; gone already is as good."""
    try:
        _call("delete_api_key", apiKey=key_id)
    except GatewayNotFound:
        return


def api_key_attach(*, plan_id: str, key_id: str) -> None:
    """Join a key to a usage plan; joined already is as good.

    AWS refuses a key that is in another plan of the same stage. Ours is where an earlier attempt
    put it, whose answer never came: it is taken out of that one.
    """
    plan_key: dict[str, Any] = {"usagePlanId": plan_id, "keyId": key_id, "keyType": "API_KEY"}
    try:
        _call("create_usage_plan_key", **plan_key)
    except GatewayRefused:
        joined = usage_plans_of(key_id=key_id)
        if plan_id in joined:
            return
        if not joined:
            raise
        for other in joined:
            api_key_detach(plan_id=other, key_id=key_id)
        _call("create_usage_plan_key", **plan_key)


def api_key_detach(*, plan_id: str, key_id: str) -> None:
    """Take a key out of a usage plan; not in it is as good."""
    try:
        _call("delete_usage_plan_key", usagePlanId=plan_id, keyId=key_id)
    except GatewayNotFound:
        return


# --- Usage ---


def usage_read(
    *, plan_id: str, start: date, end: date, key_id: str | None = None
) -> Iterator[KeyUsage]:
    """Yield the usage of every key of a plan (or of one), for the UTC days `start` to `end`.

    Both ends included; AWS allows 90 days. Figures may be 45 minutes old.
    """
    parameters: dict[str, Any] = {
        "usagePlanId": plan_id,
        "startDate": start.isoformat(),
        "endDate": end.isoformat(),
    }
    if key_id:
        parameters["keyId"] = key_id
    for answer in _pages("get_usage", **parameters):
        for map_key, pairs in answer.get("items", {}).items():
            yield KeyUsage(
                map_key=map_key,
                days=tuple(
                    DayUsage(day=start + timedelta(days=offset), used=used, remaining=remaining)
                    for offset, (used, remaining) in enumerate(pairs)
                ),
            )


def usage_set_remaining(*, plan_id: str, key_id: str, remaining: int) -> None:
    """Set what a key may still use in the current period. Never repeated here: see above."""
    patch = {"op": "replace", "path": "/remaining", "value": str(remaining)}
    _call("update_usage", attempts=1, usagePlanId=plan_id, keyId=key_id, patchOperations=[patch])
