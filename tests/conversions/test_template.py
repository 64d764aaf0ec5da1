"""What the template must keep to on AWS, where the local AWS would not mind."""

import json
from typing import Any

import pytest

from conversions import reference
from conversions.serverless.functions import convert
from portal.local.aws.vtl import Input, compiled

RESOURCES = reference.resources(reference.TEMPLATE.read_text(encoding="utf-8"))


def of(kind: str) -> dict[str, Any]:
    """Return the properties of all resources of a kind, by their logical ids."""
    return {
        name: resource["Properties"]
        for name, resource in RESOURCES.items()
        if resource["Type"] == kind
    }


SOURCES = {
    name: source
    for name, source in of("AWS::Lambda::EventSourceMapping").items()
    if source["EventSourceArn"]["Fn::GetAtt"].removesuffix(".Arn") in of("AWS::SQS::Queue")
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_burst_waits_in_its_queue_and_what_dies_is_kept(name: str) -> None:
    source = SOURCES[name]
    queue = of("AWS::SQS::Queue")[source["EventSourceArn"]["Fn::GetAtt"].removesuffix(".Arn")]
    function = of("AWS::Lambda::Function")[source["FunctionName"]["Ref"]]
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert source["ScalingConfig"]["MaximumConcurrency"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 3


def test_a_conversion_knows_its_last_try_and_how_long_it_may_take() -> None:
    assert of("AWS::SQS::Queue")["WorkQueue"]["RedrivePolicy"]["maxReceiveCount"] == convert.TRIES
    assert of("AWS::Lambda::Function")["ConvertFunction"]["Timeout"] > convert.MOST_SECONDS


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ("com.amazonaws.swf.service.v2.model#ExecutionAlreadyExists", 409, "already_started"),
        ("ExecutionAlreadyExists", 409, "already_started"),
        ("ThrottlingException", 503, "backend_unavailable"),
    ],
)
def test_a_request_id_that_was_used_is_told_from_a_throttled_state_machine(
    error: str, status: int, code: str
) -> None:
    """Callers may choose the id, and Step Functions answers 400 for both."""
    answers = of("AWS::ApiGateway::Method")["IngestsPost"]["Integration"]["IntegrationResponses"]
    answer = next(each for each in answers if each.get("SelectionPattern") == "400")
    context: dict[str, Any] = {"requestId": "chosen"}
    given = Input(json.dumps({"__type": error}), {})
    said = compiled(answer["ResponseTemplates"]["application/json"])(given, context, {})
    overridden = context["responseOverride"].get("status", int(answer["StatusCode"]))
    assert (overridden, json.loads(said)["code"]) == (status, code)
