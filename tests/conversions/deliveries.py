"""A key that the edge is told of, and what was delivered in its name."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from conversions import backend

NOBODYS = "00000000-0000-4000-8000-000000000000"


def publish(key_id: str) -> str:
    """Tell the edge of a key; return its tenant."""
    tenant = f"tenant-of-{key_id}"
    who = {"key_name": "default", "tenant": tenant, "tenant_name": "Acme", "plan": "free"}
    may = {"presets": [], "limit": None, "period_start": "", "period_end": "", "keys": [key_id]}
    backend.edge_put(key=f"key#{key_id}", body=who, revision=1)
    backend.edge_put(key=f"tenant#{tenant}", body=may, revision=1)
    return tenant


def deliveries_of(
    key_id: str, *presets: str, call: str = "a", seconds_ago: float = 0
) -> dict[str, Any]:
    body = {"events": [{"upload": NOBODYS, "preset": preset} for preset in presets]}
    record = {
        "partitionKey": f"{key_id}/{call}-of-{key_id}",
        "data": base64.b64encode(json.dumps(body).encode()).decode(),
        "approximateArrivalTimestamp": datetime.now(UTC).timestamp() - seconds_ago,
    }
    return {"Records": [{"kinesis": record}]}
