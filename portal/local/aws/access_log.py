"""A stage's access log: one line a call, in the stage's own format.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
What has no value is `-`. A key's value is never written: API Gateway redacts it in its logs
(https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html), so
`$context.identity.apiKey` is as many asterisks. Only log groups are written to; a Firehose is not.
What is told of integrations and authorizers has no value here.
"""

import logging
import re
from functools import lru_cache
from typing import NamedTuple

from portal.local.aws import substitution
from portal.local.aws.context import context_of, error_of
from portal.local.aws.gateway_responses import GatewayResponse
from portal.local.aws.integrations import Call
from portal.local.aws.log_delivery import Destination, Line
from portal.local.aws.substitution import Substitute
from portal.local.aws.wire import Response

logger = logging.getLogger(__name__)

_LOG_GROUP = re.compile(r"arn:aws[a-z-]*:logs:([^:]+):\d+:log-group:([^:*]+)(?::\*)?")


class AccessLogFormat(NamedTuple):
    """What a stage writes, and where to."""

    destination: Destination
    render: Substitute


@lru_cache(maxsize=64)
def access_log_format(api_id: str, stage: str, arn: str, text: str) -> AccessLogFormat | None:
    """A stage's setting; None where it has none, or one that cannot be served."""
    if not arn or not text:
        return None
    match = _LOG_GROUP.fullmatch(arn)
    if match is None:
        logger.error("%s of %s: no access log goes to %s", stage, api_id, arn)
        return None
    destination = Destination(match[1], match[2], f"{api_id}/{stage}")
    return AccessLogFormat(destination, substitution.compiled(text, absent="-"))


def line_of(
    log: AccessLogFormat,
    call: Call,
    response: Response,
    refusal: GatewayResponse | None,
    seconds: float,
) -> Line:
    """What the log says of a call that took so many seconds."""
    context = context_of(call)
    if call.api_key is not None:
        context["identity"]["apiKey"] = "*" * len(call.api_key)
    if refusal is not None:
        context["error"] = error_of(refusal)
    context["status"] = response.status
    context["responseLength"] = len(response.body)
    context["responseLatency"] = round(seconds * 1000)
    text = log.render(context, call.stage_variables)
    return Line(log.destination, context["requestTimeEpoch"], text)
