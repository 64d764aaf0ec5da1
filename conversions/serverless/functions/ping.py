"""GET /v1/ping: who am I? The key's id comes from the gateway, the rest from the edge table."""

import json
import os
from typing import Any

from aws_lambda_powertools import Logger

from conversions.serverless.functions.clients import client

logger = Logger()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer 200 with key, tenant and plan.

    503 while the portal has not published the key yet; 500 where the gateway names none, as for a
    method that asks for no key.
    """
    key_id = event.get("requestContext", {}).get("identity", {}).get("apiKeyId")
    item = _item(key_id) if key_id else {}
    logger.info("ping", extra={"key_id": key_id, "known": bool(item)})
    if not key_id:
        return _answer(500, {"message": "The gateway did not say whose key this call came with."})
    if not item:
        return _answer(503, {"message": "This key is not known here yet. Try again in a moment."})
    return _answer(
        200,
        {
            "pong": True,
            "key": {"id": key_id, "name": item["key_name"]["S"]},
            "tenant": {"id": item["tenant"]["S"], "name": item["tenant_name"]["S"]},
            "plan": item["plan"]["S"],
        },
    )


def _item(key_id: str) -> dict[str, Any]:
    answer = client("dynamodb").get_item(
        TableName=os.environ["EDGE_TABLE"],
        Key={"pk": {"S": f"key#{key_id}"}},
        ConsistentRead=True,  # a key that was published a moment ago is there
    )
    item: dict[str, Any] = answer.get("Item", {})
    return item


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body),
    }
