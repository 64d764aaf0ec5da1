"""`$context`: what API Gateway knows of a call, for mapping templates, gateway responses and logs.

Names and spellings are those of
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
and, for what is known only after the answer, of
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from portal.local.aws.gateway_responses import GatewayResponse

if TYPE_CHECKING:  # integrations need this module in their turn
    from portal.local.aws.integrations.base import Call

ACCOUNT_ID = "000000000000"  # ministack's only account


def context_of(call: Call) -> dict[str, Any]:
    """The variables of a call that was routed; nested as they are written, `identity.apiKeyId`."""
    request = call.request
    received = datetime.fromtimestamp(call.time, UTC)
    return {
        "accountId": ACCOUNT_ID,
        "apiId": call.api_id,
        "stage": call.stage,
        "resourceId": call.resource_id,
        "resourcePath": call.resource_path,
        "httpMethod": request.method,
        "path": f"/{call.stage}{call.path}",
        "protocol": "HTTP/1.1",
        "requestId": call.request_id,
        "extendedRequestId": call.request_id,
        "requestTime": received.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(call.time * 1000),
        "domainName": request.header(b"host") or "",
        "identity": {
            "apiKey": call.api_key,
            "apiKeyId": call.api_key_id,
            "sourceIp": request.client_ip,
            "userAgent": request.header(b"user-agent"),
            "accessKey": None,
            "accountId": None,
            "caller": None,
            "user": None,
            "userArn": None,
        },
    }


def error_of(refusal: GatewayResponse) -> dict[str, str | None]:
    """`$context.error`, of a call that the gateway answers itself."""
    return {
        "message": refusal.message,
        "messageString": json.dumps(refusal.message),
        "responseType": refusal.type,
        "validationErrorString": refusal.validation_error,
    }


def lookup(variables: Mapping[str, Any], path: str) -> str | None:
    """A variable by its dotted name; None where there is none or it has no value."""
    found: Any = variables
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return None if found is None or isinstance(found, Mapping) else str(found)
