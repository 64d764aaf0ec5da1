"""Lines of the stage's access log, and batches of them as CloudWatch Logs hands them over."""

import base64
import gzip
import itertools
import json
from datetime import UTC, datetime
from typing import Any

AT = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)
numbers = itertools.count()


def line(key: str, at: datetime = AT, **values: Any) -> dict[str, Any]:
    """What the stage logs of one call."""
    number = next(numbers)
    return {
        "time": str(int(at.timestamp() * 1000)), "id": f"id-{number}=", "request": f"r-{number}",
        "key": key, "method": "GET", "path": "/v1/ping", "status": "200", "latency": "12",
        "bytes": "100", "error": "-", **values,
    }  # fmt: skip


def batch(*lines: dict[str, Any] | str) -> dict[str, Any]:
    """A batch as CloudWatch Logs hands it to a function."""
    messages = [each if isinstance(each, str) else json.dumps(each) for each in lines]
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": "access",
        "logStream": "stream",
        "subscriptionFilters": ["meter"],
        "logEvents": [
            {"id": str(number), "timestamp": 0, "message": message}
            for number, message in enumerate(messages)
        ],
    }
    return {
        "awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()}
    }
