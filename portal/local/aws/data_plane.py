"""A call to a deployed API: route, admit, invoke, answer.

Every call is answered with the request id that its backend was given.
"""

import logging
import os
from urllib.parse import unquote

from portal.local.aws import upstream
from portal.local.aws.addresses import Address
from portal.local.aws.admission import Admission
from portal.local.aws.clock import Clock
from portal.local.aws.deployments import Deployments, Stage
from portal.local.aws.gateway_responses import (
    API_CONFIGURATION_ERROR,
    INTERNAL_ERROR,
    MISSING_AUTHENTICATION_TOKEN,
    REQUEST_TOO_LARGE,
    UNKNOWN_STAGE,
    GatewayResponse,
    Refused,
)
from portal.local.aws.integrations import Call
from portal.local.aws.routes import Route
from portal.local.aws.wire import Request, Response

logger = logging.getLogger(__name__)

_MAX_BODY_BYTES = 10 * 1024 * 1024  # "Payload size" in API Gateway's quotas


class DataPlane:
    def __init__(self, clock: Clock, deployments: Deployments, admission: Admission) -> None:
        self._clock = clock
        self._deployments = deployments
        self._admission = admission

    def serves(self, address: Address) -> bool:
        """Whether the address is a REST API's; HTTP and WebSocket APIs are ministack's."""
        known = self._deployments.fresh(address.api_id, address.stage)
        return known is not None or upstream.rest_api_region(address.api_id) is not None

    async def answer(self, address: Address, request: Request) -> Response:
        """Serve a call to a REST API."""
        request_id = _new_request_id()
        response = await self._respond(address, request, request_id)
        response.headers.append((b"x-amzn-RequestId", request_id.encode()))
        return response

    async def _respond(self, address: Address, request: Request, request_id: str) -> Response:
        stage = self._deployments.fresh(address.api_id, address.stage)
        if stage is None:
            stage = await self._deployments.stage(address.api_id, address.stage)
        if stage is None:
            return UNKNOWN_STAGE.response()
        matched = stage.routes.match(request.method, address.path)
        if matched is None:
            return MISSING_AUTHENTICATION_TOKEN.response()
        route, path_parameters = matched
        refusal, key_id = self._admit(stage, route, request)
        if refusal is not None:
            return refusal
        call = Call(
            request=request,
            request_id=request_id,
            time=self._clock.time(),
            api_id=stage.api_id,
            stage=stage.name,
            stage_variables=stage.variables,
            resource_id=route.resource_id,
            resource_path=route.resource_path,
            path=unquote(address.path) if "%" in address.path else address.path,
            path_parameters=path_parameters,
            api_key_id=key_id,
            api_key=request.header(b"x-api-key") if key_id else None,
        )
        try:
            return await route.integration(call)
        except Refused as refused:
            return refused.response.response()
        except Exception:
            logger.exception("%s %s failed", request.method, route.resource_path)
            return INTERNAL_ERROR.response()

    def _admit(
        self, stage: Stage, route: Route, request: Request
    ) -> tuple[Response | None, str | None]:
        """A refusal, or the id of the key by which the call is let in (None: it needs none)."""
        if len(request.body) > _MAX_BODY_BYTES:
            return REQUEST_TOO_LARGE.response(), None
        if route.authorization != "NONE":
            logger.error("%s: %s is not supported", route.resource_path, route.authorization)
            return API_CONFIGURATION_ERROR.response(), None
        if not route.api_key_required:
            return None, None
        key = request.header(b"x-api-key")
        verdict = self._admission.admit(
            key, stage.api_id, stage.name, route.resource_path, request.method
        )
        if isinstance(verdict, GatewayResponse):
            return verdict.response(), None
        return None, verdict.key_id


def _new_request_id() -> str:
    """A random id in the form of a UUID; made for every call, so without the UUID object."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
