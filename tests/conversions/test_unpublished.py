"""What was accepted of a key that the edge table does not know waits until it does."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from conversions import backend
from conversions.serverless.functions import edge, jobs, records, views
from conversions.serverless.functions.views import PUBLISHED_SECONDS

pytestmark = pytest.mark.usefixtures("on_lambda")
NOBODYS = "00000000-0000-4000-8000-000000000000"


def publish(key_id: str) -> str:
    """Tell the edge of a key; return its tenant."""
    tenant = f"tenant-of-{key_id}"
    who = {"key_name": "default", "tenant": tenant, "tenant_name": "Acme", "plan": "free"}
    may = {"presets": [], "limit": None, "period_start": "", "period_end": "", "keys": [key_id]}
    backend.edge_put(key=f"key#{key_id}", body=who, revision=1)
    backend.edge_put(key=f"tenant#{tenant}", body=may, revision=1)
    return tenant


def job_of(key_id: str) -> dict[str, Any]:
    attributes = {"key": key_id, "request": f"job-of-{key_id}"}
    message = {
        "messageId": "a",
        "body": json.dumps({"uploads": [NOBODYS]}),
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()
        },
    }
    return {"Records": [message]}


def test_a_job_comes_again_until_its_key_is_published(key_id: str) -> None:
    answer = jobs.handler(job_of(key_id), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}]}
    tenant = publish(key_id)
    assert jobs.handler(job_of(key_id), None) == {"batchItemFailures": []}
    outcome = records.job(tenant=tenant, job=f"job-of-{key_id}")
    assert outcome is not None
    assert outcome["refused"] == {NOBODYS: "You have no upload with this id."}


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


def delivered(tenant: str) -> int:
    """Return what was reported of a tenant's deliveries, behind whatever else was reported."""
    reports = []
    while received := backend.results_receive(wait_seconds=2):
        reports += [result.body for result in received]
    return sum(body["views"] for body in reports if body["tenant"] == tenant)


def test_deliveries_come_again_until_their_key_is_published(key_id: str) -> None:
    with pytest.raises(edge.NotPublished):
        views.handler(deliveries_of(key_id, "web"), None)
    tenant = publish(key_id)
    views.handler(deliveries_of(key_id, "web"), None)
    assert delivered(tenant) == 1


def test_deliveries_of_a_revoked_key_hold_their_shard_up_no_longer(key_id: str) -> None:
    views.handler(deliveries_of(key_id, "web", seconds_ago=PUBLISHED_SECONDS), None)
    tenant = publish(key_id)
    assert delivered(tenant) == 0
