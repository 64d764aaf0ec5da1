"""A call to a deployed API: route, admit, validate, invoke, answer, log.

What the gateway itself refuses is answered as the API's gateway responses say. Every call is
answered with the request id that its backend was given.
"""

import logging
import os
import time
from urllib.parse import unquote

from portal.local.aws import upstream
from portal.local.aws.access_log import line_of
from portal.local.aws.addresses import Address
from portal.local.aws.admission import Admission, Verdict
from portal.local.aws.clock import Clock
from portal.local.aws.deployments import Deployments, Stage
from portal.local.aws.gateway_responses import (
    AUTHORIZER_CONFIGURATION_ERROR,
    INTERNAL_ERROR,
    MISSING_AUTHENTICATION_TOKEN,
    REQUEST_TOO_LARGE,
    UNKNOWN_STAGE,
    GatewayResponse,
    Refused,
)
from portal.local.aws.integrations import Call
from portal.local.aws.log_delivery import LogDelivery
from portal.local.aws.routes import Route
from portal.local.aws.wire import Request, Response

logger = logging.getLogger(__name__)

_MAX_BODY_BYTES = 10 * 1024 * 1024  # "Payload size" in API Gateway's quotas


class DataPlane:
    def __init__(
        self,
        clock: Clock,
        deployments: Deployments,
        admission: Admission,
        log_delivery: LogDelivery,
    ) -> None:
        self._clock = clock
        self._deployments = deployments
        self._admission = admission
        self._log_delivery = log_delivery

    def serves(self, address: Address) -> bool:
        """Whether the address is a REST API's; HTTP and WebSocket APIs are ministack's."""
        known = self._deployments.fresh(address.api_id, address.stage)
        return known is not None or upstream.rest_api_region(address.api_id) is not None

    async def answer(self, address: Address, request: Request) -> Response:
        """Serve a call to a REST API."""
        started = time.perf_counter()
        request_id = _new_request_id()
        stage = self._deployments.fresh(address.api_id, address.stage)
        if stage is None:
            stage = await self._deployments.stage(address.api_id, address.stage)
        if stage is None:
            response = UNKNOWN_STAGE.response()
        else:
            response = await self._respond(stage, address, request, request_id, started)
        response.headers.append((b"x-amzn-RequestId", request_id.encode()))
        return response

    async def _respond(
        self, stage: Stage, address: Address, request: Request, request_id: str, started: float
    ) -> Response:
        matched = stage.snapshot.routes.match(request.method, address.path)
        route, path_parameters = matched or (None, {})
        refusal, key_id = self._admit(stage, route, request) if route else _NO_ROUTE
        call = Call(
            request=request,
            request_id=request_id,
            time=self._clock.time(),
            api_id=stage.api_id,
            stage=stage.name,
            stage_variables=stage.variables,
            resource_id=route.resource_id if route else "",
            resource_path=route.resource_path if route else "",
            path=unquote(address.path) if "%" in address.path else address.path,
            path_parameters=path_parameters,
            api_key_id=key_id,
            api_key=request.header(b"x-api-key") if key_id else None,
        )
        outcome = await _outcome(route, refusal, call)
        if isinstance(outcome, GatewayResponse):
            response, refusal = stage.snapshot.responses.answer(outcome, call), outcome
        else:
            response = outcome
        if stage.access_log is not None:
            seconds = time.perf_counter() - started
            self._log_delivery.add(line_of(stage.access_log, call, response, refusal, seconds))
        return response

    def _admit(self, stage: Stage, route: Route, request: Request) -> Verdict:
        if len(request.body) > _MAX_BODY_BYTES:
            return _TOO_LARGE
        if route.authorization != "NONE":
            logger.error("%s: %s is not supported", route.resource_path, route.authorization)
            return _NO_AUTHORIZER
        at = (stage.api_id, stage.name, route.throttled_as, stage.limits.of(route.throttled_as))
        if route.api_key_required:
            return self._admission.admit(request.header(b"x-api-key"), *at)
        return self._admission.admit_anybody(*at)


_NO_ROUTE = Verdict(None, None)
_TOO_LARGE = Verdict(REQUEST_TOO_LARGE, None)
_NO_AUTHORIZER = Verdict(AUTHORIZER_CONFIGURATION_ERROR, None)


async def _outcome(
    route: Route | None, refusal: GatewayResponse | None, call: Call
) -> Response | GatewayResponse:
    """What comes of a call: a backend's answer, or the gateway response in place of it."""
    if refusal is not None:
        return refusal
    if route is None:
        return MISSING_AUTHENTICATION_TOKEN
    if route.validation is not None and (invalid := route.validation.refusal(call)):
        return invalid
    try:
        return await route.integration(call)
    except Refused as refused:
        return refused.response
    except Exception:
        logger.exception("%s %s failed", call.request.method, call.resource_path)
        return INTERNAL_ERROR


def _new_request_id() -> str:
    """A random id in the form of a UUID; made for every call, so without the UUID object."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
