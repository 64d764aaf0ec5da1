"""What every integration is given, and the answers that API Gateway gives for a failed one."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

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


Integration = Callable[[Call], Awaitable[Response]]


def internal_error(status: int = 500) -> Response:
    """API Gateway's own answer where a backend is wrong (502) or the configuration is (500)."""
    headers = [(b"x-amzn-ErrorType", b"InternalServerErrorException")]
    return Response.of_json(status, {"message": "Internal server error"}, headers)


def timed_out() -> Response:
    headers = [(b"x-amzn-ErrorType", b"InternalServerErrorException")]
    return Response.of_json(504, {"message": "Endpoint request timed out"}, headers)


def unsupported(definition: Mapping[str, Any] | None) -> Integration:
    """An integration that says in the log what the local AWS cannot do, and answers 500."""
    kind = (definition or {}).get("type") or "no integration"
    uri = (definition or {}).get("uri") or ""

    async def answer(call: Call) -> Response:
        logger.error("%s: unsupported integration %s %s", call.resource_path, kind, uri)
        return internal_error()

    return answer
