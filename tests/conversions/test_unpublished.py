"""What was accepted of a key that the edge table does not know waits until it does."""

import json
from typing import Any

import pytest

from conversions import backend
from conversions.serverless.functions import edge, jobs, records, views
from conversions.serverless.functions.views import PUBLISHED_SECONDS
from tests.conversions.deliveries import NOBODYS, deliveries_of, publish

pytestmark = pytest.mark.usefixtures("on_lambda")


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
