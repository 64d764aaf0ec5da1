"""A stage's method settings: patches write them otherwise than GetStage shows them.

`/{resource}/{method}/throttling/rateLimit` sets one, `/{resource}/{method}` is removed with all of
them; a resource's slashes are `~1`, and `*` stands for all of either.
https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from portal.local.aws.plan_patch import refuse_patch

_METHOD = re.compile(r"/([^/]+)/([^/]+)(?:/(\w+/\w+))?")
_FIELDS = {
    "metrics/enabled": "metricsEnabled",
    "logging/dataTrace": "dataTraceEnabled",
    "logging/loglevel": "loggingLevel",
    "throttling/burstLimit": "throttlingBurstLimit",
    "throttling/rateLimit": "throttlingRateLimit",
    "caching/enabled": "cachingEnabled",
    "caching/dataEncrypted": "cacheDataEncrypted",
    "caching/requireAuthorizationForCacheControl": "requireAuthorizationForCacheControl",
    "caching/ttlInSeconds": "cacheTtlInSeconds",
    "caching/unauthorizedCacheControlHeaderStrategy": "unauthorizedCacheControlHeaderStrategy",
}
# What the others are once one is set.
_DEFAULTS = {
    "metricsEnabled": False,
    "dataTraceEnabled": False,
    "loggingLevel": "OFF",
    "throttlingBurstLimit": 5000,
    "throttlingRateLimit": 10000.0,
    "cachingEnabled": False,
    "cacheDataEncrypted": False,
    "requireAuthorizationForCacheControl": True,
    "cacheTtlInSeconds": 300,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}


def path_shown(op: str, path: str, members: Collection[str]) -> str:
    """The path of a patch in terms of what GetStage shows. Raises BadRequest.

    `members` are those of a stage that are patched by their own names.
    """
    if path.removeprefix("/").partition("/")[0] in members:
        return path
    match = _METHOD.fullmatch(path)
    if match is None:
        raise refuse_patch(op, path, [f"/{name}" for name in members])
    setting = f"/methodSettings/{match[1]}~1{match[2]}"
    if match[3] is None and op == "remove":
        return setting
    if match[3] not in _FIELDS:
        raise refuse_patch(op, path, [f"/{match[1]}/{match[2]}/{field}" for field in _FIELDS])
    return f"{setting}/{_FIELDS[match[3]]}"


def filled(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Method settings with what was not set."""
    return {method: {**_DEFAULTS, **given} for method, given in settings.items()}
