"""What every integration is given, and what stands in for one that cannot be made."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from portal.local.aws.gateway_responses import (
    API_CONFIGURATION_ERROR,
    INTEGRATION_TIMEOUT,
    Refused,
)
from portal.local.aws.wire import Request, Response

logger = logging.getLogger(__name__)


class Call(NamedTuple):
    """An admitted call. `path` is the decoded path below the stage, `time` is in seconds since the
    epoch on the layer's clock; the key is empty where the method needs none."""

    request: Request
    request_id: str
    time: float
    api_id: str
    stage: str
    stage_variables: Mapping[str, str]
    resource_id: str
    resource_path: str
    path: str
    path_parameters: Mapping[str, str]
    api_key_id: str | None
    api_key: str | None


# Raises Refused where the gateway has to answer itself.
Integration = Callable[[Call], Awaitable[Response]]


_DEFAULT_TIMEOUT_MS = 29_000
_under_way: set[asyncio.Task[Response]] = set()


def seconds_allowed(definition: Mapping[str, Any]) -> float:
    """How long a backend may take."""
    return int(definition.get("timeoutInMillis") or _DEFAULT_TIMEOUT_MS) / 1000


async def within(seconds: float, calling: Coroutine[Any, Any, Response]) -> Response:
    """A backend's answer. Raises Refused when it takes too long; the backend then works on, as it
    does on AWS. (ministack cannot be interrupted: it would be waited for.)"""
    task = asyncio.create_task(calling)
    _under_way.add(task)  # the loop itself would forget it
    task.add_done_callback(_under_way.discard)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise Refused(INTEGRATION_TIMEOUT)
    return task.result()


def unsupported(definition: Mapping[str, Any] | None) -> Integration:
    """An integration that says in the log what the local AWS cannot do, and answers 500."""
    kind = (definition or {}).get("type") or "no integration"
    uri = (definition or {}).get("uri") or ""

    async def answer(call: Call) -> Response:
        logger.error("%s: unsupported integration %s %s", call.resource_path, kind, uri)
        raise Refused(API_CONFIGURATION_ERROR)

    return answer
