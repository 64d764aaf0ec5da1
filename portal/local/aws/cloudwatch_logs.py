"""PutLogEvents, as a client of ministack's CloudWatch Logs.

That hands each batch on to the functions that subscribe to its group, in threads of their own.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from portal.local.aws import upstream
from portal.local.aws.log_delivery import DeliveryFailed, Destination, Line
from portal.local.aws.wire import Response


async def put_log_events(destination: Destination, lines: Sequence[Line]) -> None:
    """Deliver lines; the stream is made where it is missing. Raises DeliveryFailed."""
    stream = {"logGroupName": destination.group, "logStreamName": destination.stream}
    events = [{"timestamp": line.time, "message": line.text} for line in lines]
    answer = await _call(destination.region, "PutLogEvents", {**stream, "logEvents": events})
    if b"ResourceNotFoundException" in answer.body:
        await _call(destination.region, "CreateLogStream", stream)
        answer = await _call(destination.region, "PutLogEvents", {**stream, "logEvents": events})
    if answer.status != 200:
        raise DeliveryFailed(answer.body.decode("utf-8", "replace"))


async def _call(region: str, action: str, body: Mapping[str, Any]) -> Response:
    headers = [
        (b"x-amz-target", f"Logs_20140328.{action}".encode()),
        (b"content-type", b"application/x-amz-json-1.1"),
    ]
    return await upstream.call(
        "POST", "/", service="logs", region=region, headers=headers, body=json.dumps(body).encode()
    )
