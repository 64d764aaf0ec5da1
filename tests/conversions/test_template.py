"""What the template must keep to on AWS, where the local AWS would not mind."""

from typing import Any

import pytest

from conversions import reference

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
