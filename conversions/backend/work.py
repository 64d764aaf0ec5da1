"""Work for the functions: more variants of files that are there, by a message to the jobs' queue.

It is what POST /v1/jobs does, but names the tenant where that has a key, and brings its own preset:
the one of the edge table may be older for a while.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conversions.backend import BackendUnavailable, client, errors_of, outputs

QUEUES = ("JobsQueue", "WorkQueue")  # the stack's outputs
MOST_UPLOADS = 20  # of one message, which a function has half a minute for
MOST_MESSAGES = 10  # of one SendMessageBatch


def jobs_send(*, uploads: Mapping[str, Sequence[str]], preset: Mapping[str, Any]) -> None:
    """Have variants made by a preset, of these uploads by their tenants. Raise BackendError.

    Where only a part was taken, sending all again does no harm.
    """
    messages = [
        _message(tenant, json.dumps({"uploads": list(chunk), "recipes": [preset]}))
        for tenant, theirs in uploads.items()
        for chunk in _chunks(theirs, MOST_UPLOADS)
    ]
    for batch in _chunks(messages, MOST_MESSAGES):
        entries = [{"Id": str(number), **message} for number, message in enumerate(batch)]
        with errors_of("send jobs"):
            answer = client("sqs").send_message_batch(
                QueueUrl=outputs()["JobsQueue"], Entries=entries
            )
        if failed := answer.get("Failed"):
            raise BackendUnavailable(f"send jobs: {failed[0]['Code']}", code=failed[0]["Code"])


def work_waiting() -> int:
    """Return about how many messages wait for the functions. Raise BackendError."""
    waiting = 0
    name = "ApproximateNumberOfMessages"
    with errors_of("look at the queues"):
        for queue in QUEUES:
            answer = client("sqs").get_queue_attributes(
                QueueUrl=outputs()[queue], AttributeNames=[name]
            )
            waiting += int(answer["Attributes"][name])
    return waiting


def _message(tenant: str, body: str) -> dict[str, Any]:
    said = {"tenant": tenant, "request": str(uuid.uuid4())}
    attributes = {
        name: {"DataType": "String", "StringValue": value} for name, value in said.items()
    }
    return {"MessageBody": body, "MessageAttributes": attributes}


def _chunks(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + most] for start in range(0, len(items), most))
