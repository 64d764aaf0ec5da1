"""The controls that tests have over the local AWS."""

from datetime import datetime
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from tests.local.aws.apis import Api, unique
from tests.local.aws.program import Program


def test_healthz(http: httpx.Client) -> None:
    assert http.get("/_sekisho/healthz").json() == {"status": "ok"}


def test_the_clock_stands_where_it_is_put(gateway: Any, control: Any) -> None:
    assert control("clock", now="2026-12-01T00:00:00Z")["now"].startswith("2026-12-01T00:00:00")
    created = gateway.create_api_key(name="x")["createdDate"]
    assert created.isoformat() >= datetime.fromisoformat("2026-12-01T00:00:00+00:00").isoformat()
    real = control("clock", now=None)["now"]
    assert not real.startswith("2026-12-01T00:00")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("clock", {"now": "tomorrow"}),
        ("usage-lag", {"seconds": -1}),
        ("usage-lag", {"seconds": 3601}),
        ("usage-lag", {"seconds": "1"}),
        ("usage-lag", []),
        ("attach", {"keeps": "yes"}),
        ("fault", {"when": "before"}),
        ("fault", {"operation": "CreateApiKey", "when": "never"}),
        ("fault", {"operation": "CreateApiKey", "when": "after", "times": 0}),
        ("fault", {"operation": "CreateApiKey", "when": "after", "status": 200}),
    ],
)
def test_a_control_says_what_is_wrong(http: httpx.Client, name: str, body: object) -> None:
    answer = http.post(f"/_sekisho/{name}", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_an_unknown_control_is_not_found(http: httpx.Client) -> None:
    assert http.post("/_sekisho/nosuch", json={}).status_code == 404


def test_a_fault_before_leaves_nothing_done(gateway: Any, control: Any) -> None:
    name = unique("before")
    control("fault", operation="CreateApiKey", when="before", status=503)
    with pytest.raises(ClientError) as failed:
        gateway.create_api_key(name=name)
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert gateway.get_api_keys(nameQuery=name)["items"] == []
    gateway.create_api_key(name=name)


def test_a_fault_after_has_done_it(gateway: Any, control: Any) -> None:
    name = unique("after")
    control("fault", operation="CreateApiKey", when="after", times=2)
    for _ in range(2):
        with pytest.raises(ClientError):
            gateway.create_api_key(name=name)
    gateway.create_api_key(name=name)
    assert len(gateway.get_api_keys(nameQuery=name)["items"]) == 3


def test_a_dropped_connection_has_done_it_and_a_repeat_conflicts(
    aws: Program, gateway: Any, control: Any
) -> None:
    name, value = unique("dropped"), unique("value-of-the-dropped-key")
    control("fault", operation="CreateApiKey", when="after", status="drop")
    with pytest.raises((HTTPClientError, ConnectionClosedError)):
        gateway.create_api_key(name=name, value=value)
    assert len(gateway.get_api_keys(nameQuery=name)["items"]) == 1
    patient = aws.client("apigateway", attempts=2)
    control("fault", operation="CreateApiKey", when="after", status=500)
    other = unique("value-of-the-other-key")
    with pytest.raises(patient.exceptions.ConflictException):
        patient.create_api_key(name=name, value=other)
    assert len(gateway.get_api_keys(nameQuery=name)["items"]) == 2


@pytest.mark.parametrize(("when", "arrived"), [("before", 0), ("after", 1)])
def test_services_behind_the_layer_can_fail_too(
    aws: Program, control: Any, when: str, arrived: int
) -> None:
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("faulty"))["QueueUrl"]
    control("fault", operation="SendMessage", when=when)
    with pytest.raises(ClientError):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert len(sqs.receive_message(QueueUrl=queue).get("Messages", [])) == arrived
    sqs.send_message(QueueUrl=queue, MessageBody="y")


def test_a_fault_hits_its_operation_only(gateway: Any, api: Api, control: Any) -> None:
    control("fault", operation="UpdateUsage", when="before")
    plan_id = api.plan(quota={"limit": 1, "period": "DAY"})
    api.key(plan_id)
    assert gateway.get_usage_plan(usagePlanId=plan_id)["id"] == plan_id
