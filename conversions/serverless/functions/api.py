"""The sold API's own answers: its function's entry, who am I, and how refusals look.

    GET  /v1/ping                      who the calling key belongs to, and what is left

    api_uploads.py                     uploads
    api_work.py                        jobs and executions

The gateway has checked the key and the body before. Whose key it is comes from the gateway's
context and the edge table, never from the caller; so a stranger's things are not found.
"""

import json
import os
import time
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from boto3.dynamodb.conditions import Key

from conversions.serverless.functions import api_uploads, api_work, edge
from conversions.serverless.functions.calls import Refused, caller
from conversions.serverless.functions.clients import table

EXPOSED = ["x-amzn-RequestId", "x-amzn-ErrorType", "Retry-After"]

logger = Logger()
app = APIGatewayRestResolver(
    cors=CORSConfig(allow_origin="*", expose_headers=EXPOSED, allow_headers=["x-api-key"]),
)
app.include_router(api_uploads.router)
app.include_router(api_work.router)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one call; log one line of it."""
    started = time.perf_counter()
    answer = app.resolve(event, context)  # type: ignore[arg-type]  # the event is what Lambda gives
    logger.info(
        "call",
        extra={
            "route": f"{event['httpMethod']} {event['resource']}",
            "status": answer["statusCode"],
            "key_id": event["requestContext"]["identity"].get("apiKeyId"),
            "request_id": event["requestContext"]["requestId"],
            "ms": round(1000 * (time.perf_counter() - started), 1),
        },
    )
    return answer


@app.exception_handler(Refused)  # type: ignore[untyped-decorator]
def refused(refusal: Refused) -> Response[str]:
    return _problem(refusal)


def _problem(refusal: Refused) -> Response[str]:
    """Answer in the form of the gateway's own refusals (Problem, in the template)."""
    problem = {
        "message": str(refusal),
        "code": refusal.code,
        "request_id": app.current_event.request_context.request_id,
    }
    return Response(
        status_code=refusal.status,
        content_type="application/json",
        headers={"Retry-After": "2"} if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else {},
        body=json.dumps(problem),
    )


@app.exception_handler(edge.NotPublished)  # type: ignore[untyped-decorator]
def not_published(_error: edge.NotPublished) -> Response[str]:
    """The portal publishes a new key within seconds; until then nobody knows whose it is."""
    text = "This key is not known here yet. Try again in a moment."
    return _problem(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "key_not_published", text))


@app.get("/v1/ping")
def ping() -> dict[str, Any]:
    """Who the calling key belongs to, and what is left of the quota, as the live meter has it.

    The meter is seconds behind, and counts this call a moment later. None: there is no limit.
    """
    who = caller(app.current_event)
    account = edge.account(who.tenant)
    remaining = None
    if account.limit is not None:
        remaining = max(0, account.limit - _used(account))
    return {
        "pong": True,
        "key": {"id": who.key_id, "name": who.key_name},
        "tenant": {"id": who.tenant, "name": who.tenant_name},
        "plan": who.plan,
        "limit": account.limit,
        "remaining": remaining,
        "period_end": account.period_end,
    }


def _used(account: edge.Account) -> int:
    """Sum what the live meter has counted for all keys of a tenant since its period began."""
    used = 0
    for key_id in account.keys:
        found = table(os.environ["LIVE_TABLE"]).query(
            KeyConditionExpression=Key("pk").eq(f"day#{key_id}")
            & Key("sk").gte(account.period_start),
            ConsistentRead=True,
        )
        used += sum(int(day.get("requests", 0)) for day in found["Items"])
    return used
